"""The files of a run, which people can read, and from which it can be resumed.

    config.json           every option, resolved, with versions and devices
    trainings.jsonl       a line for each training: what a resumed run does not do again
    events.jsonl          after --asynchronous: the order in which candidates of the discovery were asked and told
    tuning_events.jsonl   the same of the tuning
    generations.jsonl     a line for each generation
    tuning.jsonl          a line for each loss under tuning and generation
    candidates.jsonl      a line for each loss function ever evaluated
    hall_of_fame.csv      the best distinct losses of the discovery
    result.json           the best loss, the finalists and the comparison
    summary.png           the search and the comparison as a picture

All but the first four follow from these: a run that is resumed makes them again.
"""

import contextlib
import csv
import io
import json
import os
import shlex
import shutil
import socket
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from glojax.errors import RunDirectoryError
from glojax.evaluation import TrainingJournal
from glojax.files import remove_unfinished, write_atomically
from glojax.search.events import EventLog
from glojax.search.json_lines import JsonLines

#: Free space that a run requires before it starts; a training takes a third of a kilobyte.
MIN_FREE_BYTES = 64 * 2**20

#: The event logs of discovery and tuning.
DISCOVERY_EVENTS, TUNING_EVENTS = "events.jsonl", "tuning_events.jsonl"

_LOCK, _HOLDER = ".lock", ".holder.json"


class RunDirectory:
    """A folder to which this process alone writes, until it is released.

    `create` makes one; `reopen` takes the folder of an interrupted or finished run. Errors of the file system pass
    through its methods as `OSError`.
    """

    def __init__(self, path: Path):
        """Lock the folder; call `create` or `reopen` instead."""
        self.path = path
        self._lock = FileLock(path / _LOCK, timeout=0)
        self._logs: dict[str, JsonLines] = {}
        try:
            self._lock.acquire()
        except Timeout:
            raise RunDirectoryError(
                f"{path} is in use by {self._holder_in_words()}; wait until it ends, or end it."
            ) from None
        except NotImplementedError as error:
            raise RunDirectoryError(f"The file system of {path} knows no locks; give another as --run-dir.") from error
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        try:
            (path / _HOLDER).write_text(json.dumps(holder) + "\n", encoding="utf-8")
        except OSError:
            self.release()
            raise

    @classmethod
    def create(cls, path: Path | None, command: str) -> "RunDirectory":
        """Take a new or empty folder."""
        shown = path or Path("runs")
        try:
            path = shown = path or _unused(Path("runs"), f"{datetime.now():%Y%m%d-%H%M%S}-{command}")
            require_free(path)
            path.mkdir(parents=True, exist_ok=True)
            _require_space(path)
            directory = cls(path)
        except OSError as error:
            raise unwritable(shown, error, "or give another folder as --run-dir") from error
        try:
            # Check again, now that no other process can write to it.
            require_free(path)
        except RunDirectoryError:
            directory.release()
            raise
        return directory

    @classmethod
    def reopen(cls, path: Path) -> "RunDirectory":
        """Take the folder of a run."""
        require_run(path)
        try:
            _require_space(path)
            directory = cls(path)
            remove_unfinished(path)
        except OSError as error:
            raise unwritable(path, error, "then try again") from error
        return directory

    @property
    def resume_command(self) -> str:
        """The command that goes on with the run."""
        return f"python -m glojax.search resume {shlex.quote(str(self.path))}"

    def open_journal(self) -> TrainingJournal:
        """Open the journal of the trainings that are done."""
        return TrainingJournal(self.path / "trainings.jsonl")

    def open_events(self, name: str) -> EventLog:
        """Open an event log, such as `DISCOVERY_EVENTS`."""
        return EventLog(self.path / name)

    def remove(self, *names: str) -> None:
        """Remove files, so that they are made anew."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def write_json(self, name: str, content: Any) -> None:
        """Write a whole JSON file."""
        text = json.dumps(content, indent=2) + "\n"
        self.write_file(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_csv(self, name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Write a whole CSV file."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        self.write_file(name, lambda path: path.write_text(text.getvalue(), encoding="utf-8"))

    def write_file(self, name: str, write: Callable[[Path], object]) -> None:
        """Let `write` make a file under a temporary name, then rename it."""
        write_atomically(self.path / name, write)

    def append_line(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        """Append a record to a file of JSON lines, and return it as it stands there: a resumed run finds it again."""
        if name not in self._logs:
            self._logs[name] = JsonLines(self.path / name)
        return self._logs[name].append(record)

    def finish(self) -> None:
        """Cut off of the files of JSON lines what this run has neither written nor found again."""
        for log in self._logs.values():
            log.finish()

    def release(self) -> None:
        """Let other processes write."""
        with contextlib.suppress(OSError):
            (self.path / _HOLDER).unlink()
        self._lock.release()

    def _holder_in_words(self) -> str:
        try:
            holder = json.loads((self.path / _HOLDER).read_text(encoding="utf-8"))
            return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return "another process"


def require_run(path: Path) -> None:
    """Raise RunDirectoryError unless a folder holds a run."""
    if not (path / "config.json").is_file():
        raise RunDirectoryError(f"{path} holds no run (there is no config.json in it); give the folder of one.")


def require_free(path: Path) -> None:
    """Raise RunDirectoryError unless a new run may take a folder: it is empty, or does not exist yet."""
    try:
        if path.exists() and not path.is_dir():
            raise RunDirectoryError(f"{path} is a file; give a new or empty folder as --run-dir.")
        taken = path.exists() and any(child.name not in (_LOCK, _HOLDER) for child in path.iterdir())
    except OSError as error:
        raise unwritable(path, error, "or give another folder as --run-dir") from error
    if taken:
        is_run = (path / "config.json").is_file()
        resume = f", or go on with the run that is there by `python -m glojax.search resume {path}`" if is_run else ""
        raise RunDirectoryError(
            f"Run directory {path} is not empty; give a new or empty folder as --run-dir{resume}. Nothing was changed."
        )


def unwritable(path: Path, error: OSError, advice: str) -> RunDirectoryError:
    """Return the error for the user when a file cannot be written."""
    return RunDirectoryError(
        f"Cannot write {error.filename or path}: {error.strerror or error}; make room or make it writable, {advice}."
    )


def _require_space(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < MIN_FREE_BYTES:
        raise RunDirectoryError(
            f"The disk of {path} has {free / 2**20:.0f} MB left; expected {MIN_FREE_BYTES / 2**20:.0f} MB: make room, "
            "or give a folder elsewhere as --run-dir."
        )


def _unused(parent: Path, name: str) -> Path:
    """Return a path that does not exist yet: the name, or the name with a number."""
    path, number = parent / name, 2
    while path.exists():
        path, number = parent / f"{name}-{number}", number + 1
    return path
