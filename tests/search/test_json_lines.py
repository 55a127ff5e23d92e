import json
import logging
from pathlib import Path
from typing import Any

import pytest

from glojax.search.logs import JsonLines


def record(generation: int, seconds: float = 1.0) -> dict[str, Any]:
    return {"generation": generation, "best_fitness": 0.5, "condition_number": float("inf"), "seconds": seconds}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three lines, each of which took a second."""
    path = tmp_path / "generations.jsonl"
    log = JsonLines(path)
    for generation in (1, 2, 3):
        log.append(record(generation))
    return path


def records(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_what_stands_there_already_stays_with_its_timing(path: Path) -> None:
    log = JsonLines(path)
    assert [log.append(record(generation, 0.0)) for generation in (1, 2, 3, 4)] == [
        *(record(generation) for generation in (1, 2, 3)),
        record(4, 0.0),
    ]
    assert records(path) == [record(1), record(2), record(3), record(4, 0.0)]


def test_a_torn_last_line_is_written_again_in_silence(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(path.read_bytes()[:-3])
    log = JsonLines(path)
    with caplog.at_level(logging.WARNING, "glojax"):
        for generation in (1, 2, 3):
            log.append(record(generation, 0.0))
    assert records(path) == [record(1), record(2), record(3, 0.0)]
    assert not caplog.records


@pytest.mark.parametrize("changed", [b'{"generation": 7}\n', b"[1]\n", b"\x00\xff\n", b"[" * 100_000 + b"\n", b"\n"])
def test_from_a_line_that_was_changed_it_is_written_anew(
    path: Path, caplog: pytest.LogCaptureFixture, changed: bytes
) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + changed + lines[2])
    log = JsonLines(path)
    with caplog.at_level(logging.WARNING, "glojax"):
        for generation in (1, 2, 3):
            log.append(record(generation, 0.0))
    assert records(path) == [record(1), record(2, 0.0), record(3, 0.0)]
    assert "damaged or was changed in line 2; from there on it is written anew" in caplog.text


@pytest.mark.parametrize("seconds", [None, -1.0, float("inf"), "1", [], True, 1e400])
@pytest.mark.parametrize("others", [{}, {"extra": 1}])
def test_a_time_that_is_none_is_written_anew(path: Path, seconds: object, others: dict[str, Any]) -> None:
    path.write_text(json.dumps(record(1) | {"seconds": seconds} | others) + "\n")
    assert JsonLines(path).append(record(1, 0.5)) == record(1, 0.5)
    assert records(path) == [record(1, 0.5)]


def test_an_equal_value_of_another_type_is_written_anew(path: Path) -> None:
    path.write_text(json.dumps(record(1) | {"generation": True}) + "\n")
    assert JsonLines(path).append(record(1))["generation"] is not True


def test_a_file_is_not_read_further_than_it_is_right(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"[" * 2**21)
    log = JsonLines(path)
    for generation in (1, 2, 3, 4):
        log.append(record(generation))
    assert records(path) == [record(generation) for generation in (1, 2, 3, 4)]


def test_lines_too_many_are_cut_off_in_the_end(path: Path) -> None:
    log = JsonLines(path)
    log.append(record(1))
    log.finish()
    assert records(path) == [record(1)]
