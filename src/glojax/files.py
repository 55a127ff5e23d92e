"""Paths of users, and crash-safe files: replaced as a whole or not at all, or appended to."""

import contextlib
import errno
import io
import math
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import platformdirs

from glojax.errors import ConfigurationError
from glojax.regular_files import open_own

#: The time whose data a loss of power may destroy. To wait for the disk after each training would cost some percent of
#: a search whose trainings take a tenth of a second.
SYNC_SECONDS: Final = 1.0

_UNFINISHED = ".unfinished-"


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path of a user, in which ~ and ~NAME stand for home folders.

    Raises:
        ConfigurationError: There is no such user, or the user has no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"{path} begins with the home folder of a user who has none; give a whole path, or set HOME."
        ) from error


def user_cache() -> Path:
    """Return the folder for what the next run may use again; raise FileNotFoundError for a user without a home."""
    try:
        return platformdirs.user_cache_path("glojax").expanduser()
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "the user has no home folder", "~/.cache") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` on a temporary path in the same folder, then rename that file to `path`.

    An earlier file at `path` stays whole until the new one is on the disk.
    """
    # tempfile makes files that other users cannot read. The suffix stays, by which libraries choose a format.
    unfinished = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}-{path.name}")
    try:
        write(unfinished)
        _sync(unfinished)
        os.replace(unfinished, path)
        _sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def append(path: Path, data: bytes, *, durable: bool) -> None:
    """Append lines to a file, which is created if it does not exist; `durable` data survives a loss of power, too.

    All of `data` is appended, or nothing: what an `OSError` or a crash left of a line goes before the next append.

    Raises:
        UnfitFileError: It is a link, or no regular file.
    """
    with open(path, "a+b", buffering=0, opener=open_own) as file:
        end = _cut_off_torn_line(file)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) :]
            if durable:
                os.fsync(file.fileno())
            if durable and end == 0:  # the folder may not know the file yet
                _sync(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(end)
            raise


def truncate(path: Path, size: int) -> None:
    """Cut off a file after `size` bytes, on the disk, too; raise as `append` does."""
    with open(path, "r+b", buffering=0, opener=open_own) as file:
        file.truncate(size)
        os.fsync(file.fileno())


class Appender:
    """Appends to a file, which the first data creates, and waits for the disk once in `SYNC_SECONDS`."""

    def __init__(self, path: Path):
        self._path = path
        self._synced = -math.inf

    def append(self, data: bytes) -> None:
        """Append data, which survives the end of the process; a loss of power costs those of `SYNC_SECONDS` at most."""
        is_time = time.monotonic() - self._synced >= SYNC_SECONDS
        append(self._path, data, durable=is_time)
        if is_time:
            self._synced = time.monotonic()


def is_unfinished(name: str, target: str) -> bool:
    """Return whether a name is that of a temporary file of an interrupted write to the file `target`."""
    return name.startswith(_UNFINISHED) and name.endswith(f"-{target}")


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of interrupted writes from a folder."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _cut_off_torn_line(file: io.FileIO) -> int:
    """Cut off a last line that lacks its end; return the size of the file in bytes."""
    end = size = file.seek(0, os.SEEK_END)
    tail = b""
    while end and b"\n" not in tail:
        end = max(0, size - max(1, 16 * (size - end)))
        file.seek(end)
        tail = file.read(size - end)
    end += tail.rfind(b"\n") + 1
    if end < size:
        file.truncate(end)
    return end


def _sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders and needs no sync of them
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
