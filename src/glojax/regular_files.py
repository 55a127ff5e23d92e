"""Opening and reading of files that a stranger may have put in place: regular files, of a bounded size, as JSON.

A file that glojax has written is a regular file with one name. `open_own` opens nothing else: no link, through which a
file elsewhere would be read or changed, and no named pipe or device, which may block for ever.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from glojax.errors import UnfitFileError

#: Greatest size of a JSON file, such as config.json: a command line has 2 MiB, and a result some bytes for each
#: accuracy. Parsed, JSON takes up to 25 times its size.
MAX_OBJECT: Final = 16 * 2**20

#: Greatest size of a file of JSON lines: twelve million trainings.
MAX_LOG: Final = 2**32

#: Greatest depth of JSON; what is written has some levels.
MAX_DEPTH: Final = 64

#: Greatest number of bytes that are read of a line; the longest that is written has an expression of 1000 nodes.
MAX_LINE: Final = 2**20

_MAX_INTEGER: Final = 2**63


def open_own(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file of glojax's own, as the `opener` of `open`; not to be used with mode "w", which empties it first.

    Raises:
        UnfitFileError: It is a symbolic link, has other names, or is no regular file.
        OSError: It cannot be opened.
    """
    require_own(path)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # it has become a link, or a pipe
            raise _not_own(path) from error
        raise
    # It may have been replaced since it was looked at.
    return _checked(descriptor, path, is_own=True)


def open_given(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file that the user names, as the `opener` of `open`: links lead to it, but it is a regular file.

    Raises:
        UnfitFileError: It is no regular file.
        OSError: It cannot be opened.
    """
    _require_regular(os.stat(path), path)
    return _checked(os.open(path, flags | getattr(os, "O_NONBLOCK", 0)), path, is_own=False)


def require_own(path: str | os.PathLike[str]) -> None:
    """Raise UnfitFileError unless there is a regular file with one name, or nothing."""
    with contextlib.suppress(FileNotFoundError):
        _require_own(os.lstat(path), path)


def require_readable(path: str | os.PathLike[str]) -> None:
    """Raise UnfitFileError as `require_own` does, and for a file that is larger than `MAX_LOG`."""
    require_own(path)
    with contextlib.suppress(FileNotFoundError):
        _require_size(os.lstat(path).st_size, path, MAX_LOG)


def read_file(path: Path, max_bytes: int, *, is_own: bool = True) -> bytes:
    """Return the content of a file, its own or a given one, of at most `max_bytes`; raise as its opener does.

    Raises:
        UnfitFileError: It is larger.
    """
    with open(path, "rb", opener=open_own if is_own else open_given) as file:
        return file.read(checked_size(file, path, max_bytes))


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of an own file, each with its end; one that is longer than `MAX_LINE` comes in pieces.

    Raises:
        UnfitFileError: The file is a link, not regular, or larger than `MAX_LOG`.
    """
    with open(path, "rb", opener=open_own) as file:
        checked_size(file, path, MAX_LOG)
        yield from iter(lambda: file.readline(MAX_LINE), b"")


def read_json(path: Path, max_bytes: int = MAX_OBJECT) -> dict[str, Any]:
    """Return the JSON object in an own file; raise as `read_file` does, and ValueError if it holds none."""
    content = parse_json(read_file(path, max_bytes))
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content


def parse_json(text: bytes | str) -> Any:
    """Return the value of a JSON text, in which integers have at most 64 bits, and nothing is NaN.

    Raises:
        ValueError: The text is not of this kind, or nested too deep.
    """
    try:
        value = json.loads(text, parse_int=_integer, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return value
    raise ValueError("it is nested too deep")


def checked_size(file: IO[bytes], path: str | os.PathLike[str], max_bytes: int) -> int:
    """Return the size of an open file in bytes; raise UnfitFileError if it is larger than `max_bytes`."""
    size = os.fstat(file.fileno()).st_size
    _require_size(size, path, max_bytes)
    return size


def _checked(descriptor: int, path: str | os.PathLike[str], *, is_own: bool) -> int:
    try:
        (_require_own if is_own else _require_regular)(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _require_own(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnfitFileError(f"{os.fspath(path)} is a folder; expected a file of that name, or none: move it away.")
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise _not_own(path)


def _require_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFileError(f"{os.fspath(path)} is a pipe or a device, and no regular file")


def _not_own(path: str | os.PathLike[str]) -> UnfitFileError:
    return UnfitFileError(
        f"{os.fspath(path)} is a link, a pipe or a device; expected a regular file with no other name: put a copy "
        "in its place."
    )


def _require_size(size: int, path: str | os.PathLike[str], max_bytes: int) -> None:
    if size > max_bytes:
        raise UnfitFileError(
            f"{os.fspath(path)} has {size:,} bytes; expected at most {max_bytes:,}: it is none of glojax's files, or "
            "was changed."
        )


def _integer(digits: str) -> int:
    # Without the limit, a number of 4300 digits would be an integer that no float holds.
    if len(digits) > 20 or not -_MAX_INTEGER <= (value := int(digits)) < _MAX_INTEGER:
        raise ValueError(f"an integer of {len(digits)} digits")
    return value


def _constant(name: str) -> float:
    if name == "NaN":
        raise ValueError("NaN")
    return float(name)
