"""Crash-safe files: replaced as a whole or not at all, or appended to."""

import contextlib
import math
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: The time whose data a loss of power may destroy. To wait for the disk after each training would cost some percent of
#: a search whose trainings take a tenth of a second.
SYNC_SECONDS: Final = 1.0

_UNFINISHED = ".unfinished-"


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
    """Append to a file, which is created if it does not exist; `durable` data survives a loss of power, too.

    A crash may leave a part of `data`; the rest of the file does not change.
    """
    is_new = durable and not path.exists()
    with open(path, "ab", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        if durable:
            os.fsync(file.fileno())
    if is_new:
        _sync(path.parent)


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


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of interrupted writes from a folder."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders and needs no sync of them
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
