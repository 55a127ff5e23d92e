import json
import logging
from pathlib import Path

import pytest

from glojax.evaluation import checksum
from glojax.search.logs import Event, EventLog

EVENTS = [Event("asked", 0), Event("asked", 1), Event("told", 1), Event("asked", 2)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    for event in EVENTS:
        log.add(event)
    return path


def test_what_was_written_is_read_and_added_to(path: Path) -> None:
    log = EventLog(path)
    assert log.events == EVENTS
    log.add(Event("told", 0))
    assert EventLog(path).events == [*EVENTS, Event("told", 0)]


def test_a_torn_end_is_dropped_without_a_word(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert EventLog(path).events == EVENTS[: whole[:length].count(b"\n")]
        assert path.read_bytes() == b"".join(whole[:length].splitlines(keepends=True)[: whole[:length].count(b"\n")])
    assert not caplog.records


def lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (lambda content: b"".join(lines(content)[:1] + lines(content)[2:]), 1),
        (lambda content: b"".join(lines(content)[:2] + lines(content)[1:]), 2),
        (lambda content: b"".join([lines(content)[1], lines(content)[0], *lines(content)[2:]]), 0),
        (lambda content: content.replace(b'"told"', b'"asked"'), 2),
        (lambda content: content.replace(b'"candidate": 2', b'"candidate": 3'), 3),
        (lambda content: content.replace(b'{"number": 3', b'{ "number": 3'), 2),
        (lambda content: content.replace(b"\n", b"\n\n", 1), 1),
        (lambda content: content + b"[" * 5000 + b"\n", 4),
        (lambda content: content + b'{"candidate": [], "event": null}\n', 4),
        (lambda content: content + b'{"candidate": "x"}\n', 4),
        (lambda content: content + b"\xff\n", 4),
    ],
)
def test_from_the_first_damaged_line_on_the_order_is_lost_and_said(
    path: Path, damage: object, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(damage)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with caplog.at_level(logging.WARNING):
        assert EventLog(path).events == EVENTS[:left]
    assert f"is damaged in line {left + 1}: from there on the order" in caplog.text
    assert path.read_bytes() == b"".join(lines(whole)[:left])


@pytest.mark.parametrize("candidate", [[], {}, None, True, 1.0, "1"])
def test_a_candidate_is_a_number_whatever_the_checksum(path: Path, candidate: object) -> None:
    record = {"number": 5, "event": "told", "candidate": candidate}
    with path.open("a") as file:
        file.write(json.dumps(record | {"checksum": checksum(record)}) + "\n")
    assert EventLog(path).events == EVENTS


@pytest.mark.parametrize("wrong", [Event("told", 1), Event("told", 3), Event("asked", 2), Event("asked", 4)])
def test_a_candidate_is_asked_for_in_its_turn_and_told_once(path: Path, wrong: Event) -> None:
    EventLog(path).add(wrong)
    assert EventLog(path).events == EVENTS
