"""Files that survive a crash: replaced as a whole or not at all, or appended to."""

import contextlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path

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
