"""Files that survive a crash: replaced as a whole or not at all, or appended to."""

import contextlib
import math
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: How much work a loss of power may take. To wait for the disk after each training would cost some percent of a search
#: whose trainings take a tenth of a second.
SYNC_SECONDS: Final = 1.0

_UNFINISHED = ".unfinished-"


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a file under a temporary name beside `path`, then give it that name.

    Whatever happens on the way, the file that was there before stays, whole, until the new one is on the disk.

    Raises:
        OSError: The disk is full, or cannot be written.
        Exception: Whatever `write` raises.
    """
    # Not by tempfile, whose files nobody else may read; and with the suffix, by which libraries choose a format.
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
    """Append to a file, which is made where there is none.

    A crash may leave a part of `data`, but nothing else of the file changes.

    Args:
        path: The file.
        data: What to append.
        durable: Whether it is on the disk when this returns, and survives a loss of power, too.

    Raises:
        OSError: The disk is full, or cannot be written.
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
    """Appends to a file, and waits for the disk once in `SYNC_SECONDS`.

    Args:
        path: The file; it is made with the first data.
    """

    def __init__(self, path: Path):
        self._path = path
        self._synced = -math.inf

    def append(self, data: bytes) -> None:
        """Append: when this returns, it survives the end of the process; a loss of power, within `SYNC_SECONDS`.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        is_time = time.monotonic() - self._synced >= SYNC_SECONDS
        append(self._path, data, durable=is_time)
        if is_time:
            self._synced = time.monotonic()


def remove_unfinished(folder: Path) -> None:
    """Remove what writes that a crash broke off have left in a folder."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file or a folder to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders, and needs no such thing
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
