"""Appending is all or nothing."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glojax import files
from glojax.files import append, write_atomically

OLD, NEW = b'{"old": 1}\n', b'{"new": 2}\n'
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "lines.jsonl"
    append(path, OLD, durable=False)
    return path


class FaultyFile:
    """A file that takes half of what is written, then fails with an error, once; or takes one byte at a time."""

    def __init__(self, file: Any, error: str | None, *, truncates: bool):
        self._file, self._error, self._truncates, self._writes = file, error, truncates, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "FaultyFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        self._writes += 1
        if self._error and self._writes == 2:
            raise failure(self._error)
        return int(self._file.write(data[: len(data) // 2 if self._error else 1]))

    def truncate(self, size: int) -> None:
        if not self._truncates:
            raise failure("EIO")
        self._file.truncate(size)


def failure(name: str) -> OSError:
    return OSError(getattr(errno, name), os.strerror(getattr(errno, name)))


Break = Callable[..., None]


@pytest.fixture
def break_files(monkeypatch: pytest.MonkeyPatch) -> Break:
    def break_them(error: str | None, *, truncates: bool = True) -> None:
        def open_file(*arguments: Any, **options: Any) -> FaultyFile:
            return FaultyFile(open(*arguments, **options), error, truncates=truncates)

        monkeypatch.setattr(files, "open", open_file, raising=False)

    return break_them


@pytest.mark.parametrize("error", ERRORS)
def test_of_a_line_that_cannot_be_written_nothing_stays(path: Path, break_files: Break, error: str) -> None:
    break_files(error)
    with pytest.raises(OSError, match=os.strerror(getattr(errno, error))):
        append(path, NEW, durable=False)
    assert path.read_bytes() == OLD


def test_where_a_part_stayed_the_next_append_removes_it(
    path: Path, break_files: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_files("ENOSPC", truncates=False)
    with pytest.raises(OSError, match="No space left"):
        append(path, NEW, durable=False)
    assert path.read_bytes() == OLD + NEW[: len(NEW) // 2]
    monkeypatch.undo()
    append(path, NEW, durable=False)
    assert path.read_bytes() == OLD + NEW


def test_a_line_that_is_not_on_the_disk_does_not_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise failure("EIO")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        append(path, NEW, durable=True)
    assert path.read_bytes() == OLD


def test_short_writes_are_gone_on_with(path: Path, break_files: Break) -> None:
    break_files(None)
    append(path, NEW, durable=True)
    assert path.read_bytes() == OLD + NEW


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 300, 10_000])
@pytest.mark.parametrize("before", [b"", OLD, OLD * 100])
def test_a_torn_line_of_any_length_goes_before_the_next_append(path: Path, before: bytes, length: int) -> None:
    path.write_bytes(before + b"x" * length)
    append(path, NEW, durable=False)
    assert path.read_bytes() == before + NEW


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_file_that_cannot_be_replaced_stays_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch, function: str, error: str
) -> None:
    def fail(*arguments: object) -> None:
        raise failure(error)

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match=os.strerror(getattr(errno, error))):
        write_atomically(path, lambda unfinished: unfinished.write_bytes(NEW))
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]
