"""The standard streams of a command, which goes on where nobody reads them, and where they cannot be written."""

import contextlib
import errno
import io
import os
import stat
import sys
from typing import Any, TextIO


class _Stream(io.FileIO):
    """Standard output or standard error, without errors: text that cannot be written is lost.

    Attributes:
        has_failed: Whether text was lost that somebody may want; a pipe or a terminal that is closed has no reader.
    """

    has_failed = False

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            is_terminal = stat.S_ISCHR(os.fstat(self.fileno()).st_mode)
            has_no_reader = error.errno == errno.EPIPE or (error.errno == errno.EIO and is_terminal)
            if not has_no_reader and not _Stream.has_failed:
                _Stream.has_failed = True
                name = {1: "standard output", 2: "standard error"}[self.fileno()]
                line = f"error: Cannot write {name}: {error.strerror}; make room. The command goes on without it.\n"
                with contextlib.suppress(OSError):
                    os.write(2, line.encode())
            return len(data)


def keep_streams() -> None:
    """Put streams without errors in the place of the process's own; a closed one takes text that goes nowhere."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one. Were it left free, a file of the run would get it, and libraries
            # would write their messages there.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout, sys.stderr = _kept(1, sys.stdout), _kept(2, sys.stderr)


def streams_failed() -> bool:
    """Flush the streams; return whether text was lost that somebody may want."""
    sys.stdout.flush()
    sys.stderr.flush()
    return _Stream.has_failed


def _kept(number: int, own: TextIO | None) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Stream(number, "w", closefd=False)),
        encoding="utf-8" if own is None else own.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
