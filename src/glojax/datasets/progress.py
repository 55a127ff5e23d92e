"""Progress of downloads and readings: a live line on a terminal, plain lines elsewhere."""

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from glojax.errors import printable
from glojax.terminal import print_text

_LOGGER = logging.getLogger("glojax.datasets")


class FetchDisplay(logging.Handler):
    """A context manager that shows the log messages of data set loading on a console."""

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self._console = console
        self._spinner = Spinner("dots")
        self._text, self._start, self._num_bytes, self._bytes_before = "", 0.0, 0, 0
        self._folder: Path | None = None
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._level_before, self._propagate_before = _LOGGER.level, _LOGGER.propagate
        _LOGGER.setLevel(logging.INFO)
        _LOGGER.propagate = False  # another handler would print the same messages
        _LOGGER.addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        _LOGGER.removeHandler(self)
        _LOGGER.setLevel(self._level_before)
        _LOGGER.propagate = self._propagate_before
        self._live.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a message; a record with `folder` and `num_bytes` announces a download into that folder."""
        if record.levelno > logging.INFO:
            print_text(f"warning: {record.getMessage()}", self._console)
            return
        self._text, self._start = printable(record.getMessage()), time.perf_counter()
        self._folder, self._num_bytes = getattr(record, "folder", None), getattr(record, "num_bytes", 0)
        self._bytes_before = _num_bytes(self._folder)
        if self._console.is_terminal:
            self._live.start()
        else:
            print_text(self._text, self._console)

    def _render(self) -> Spinner:
        done, total = _num_bytes(self._folder) - self._bytes_before, self._num_bytes
        share = f", {min(done, total) / 1e6:.1f} of {total / 1e6:.1f} MB" if total else ""
        text = f"{time.perf_counter() - self._start:.0f} s{share}  {self._text}"
        self._spinner.update(text=Text(text, no_wrap=True, overflow="ellipsis"))
        return self._spinner


def _num_bytes(folder: Path | None) -> int:
    """Count the bytes of all files in a folder, which may not exist yet and may change during the count."""
    total = 0
    for parent, _, names in os.walk(folder or os.devnull):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.path.getsize(os.path.join(parent, name))
    return total
