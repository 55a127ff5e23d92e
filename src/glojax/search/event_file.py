"""The scalars of a run for TensorBoard."""

import contextlib
import logging
import time
from pathlib import Path
from typing import Any, Self

from glojax.errors import ConfigurationError
from glojax.files import expanded

_log = logging.getLogger(__name__)


class EventFile:
    """Writes scalars to a new event file in a folder, None for nowhere; use it in a `with` statement.

    A run that goes on writes its scalars again: the file begins with a mark for TensorBoard to hide what others in the
    folder have. Should it become impossible to write, a warning says so, and the run goes on.
    """

    def __init__(self, folder: Path | None):
        self._writer: Any = None
        self._folder = folder
        if folder is None:
            return
        try:
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto.event_pb2 import Event, SessionLog
        except ImportError as error:
            raise ConfigurationError(
                f"--tensorboard needs a package that is not installed ({error.name or error}): "
                "pip install 'glojax[tensorboard]'"
            ) from error
        path = expanded(folder).absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
            # Unlike a SummaryWriter it has no thread, which would end in silence when the disk is full.
            self._writer = EventsWriter(str(path / "events"))
            self._write(Event(step=0, session_log=SessionLog(status=SessionLog.START)))
        except OSError as error:
            raise ConfigurationError(
                f"--tensorboard is {folder}, which cannot be written ({error.strerror or error}); give another folder."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):  # all that could be written is in the file
                self._writer.close()
            self._writer = None

    def add(self, group: str, step: int, **scalars: float | None) -> None:
        """Write those of the scalars that are known, as `group/name`."""
        if self._writer is None:
            return
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=f"{group}/{name}", simple_value=scalar)
            for name, scalar in scalars.items()
            if scalar is not None
        ]
        try:
            self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        except OSError as error:
            self.__exit__()
            _log.warning(
                "The event file in %s can no longer be written (%s); the run goes on without it.",
                self._folder,
                error.strerror or error,
            )

    def _write(self, event: Any) -> None:
        self._writer.write_event(event)
        self._writer.flush()
