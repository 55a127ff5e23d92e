import logging
from pathlib import Path

import pytest

from glojax.search.completions import Completion, CompletionLog

COMPLETIONS = [Completion(1, 3), Completion(0, 4), Completion(3, 4), Completion(2, 4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "completions.jsonl"
    log = CompletionLog(path)
    for completion in COMPLETIONS:
        log.add(completion)
    return path


def test_what_was_written_is_read_and_added_to(path: Path) -> None:
    log = CompletionLog(path)
    assert log.completions == COMPLETIONS
    log.add(Completion(4, 5))
    assert CompletionLog(path).completions == [*COMPLETIONS, Completion(4, 5)]


def test_a_torn_end_is_dropped_without_a_word(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert CompletionLog(path).completions == COMPLETIONS[: whole[:length].count(b"\n")]
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
        (lambda content: content.replace(b'"candidate": 3', b'"candidate": 2'), 2),
        (lambda content: content.replace(b'"drawn": 3', b'"drawn": 4'), 0),
        (lambda content: content.replace(b'{"number": 3', b'{ "number": 3'), 2),
        (lambda content: content.replace(b"\n", b"\n\n", 1), 1),
        (lambda content: content + b"[" * 5000 + b"\n", 4),
        (lambda content: content + b'{"candidate": [], "drawn": null}\n', 4),
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
        assert CompletionLog(path).completions == COMPLETIONS[:left]
    assert f"is damaged in line {left + 1}: from there on the order" in caplog.text
    assert path.read_bytes() == b"".join(lines(whole)[:left])


def test_a_candidate_comes_back_once_and_draws_are_never_taken_back(tmp_path: Path) -> None:
    for number, wrong in enumerate((Completion(1, 5), Completion(2, 3))):
        log = CompletionLog(tmp_path / str(number))
        for completion in (Completion(1, 4), wrong):
            log.add(completion)
        assert CompletionLog(tmp_path / str(number)).completions == [Completion(1, 4)]
