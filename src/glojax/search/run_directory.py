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
    report.html           all of it as a page

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
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from glojax.errors import GlojaxError, RunDirectoryError, UnfitFileError
from glojax.files import is_unfinished, remove_unfinished, write_atomically
from glojax.regular_files import read_json, require_readable
from glojax.search.logs import JsonLines

#: Free space that a run requires before it starts; a training takes a third of a kilobyte.
MIN_FREE_BYTES = 64 * 2**20

#: The event logs of discovery and tuning.
DISCOVERY_EVENTS, TUNING_EVENTS = "events.jsonl", "tuning_events.jsonl"

#: The page that shows the run.
REPORT = "report.html"

_LOCK, _HOLDER = ".lock", ".holder.json"

#: All that is opened or replaced in the folder of a run.
_OWN = (
    *("config.json", "trainings.jsonl", DISCOVERY_EVENTS, TUNING_EVENTS, "generations.jsonl", "tuning.jsonl"),
    *("candidates.jsonl", "hall_of_fame.csv", "result.json", "summary.png", REPORT, _LOCK, _HOLDER),
)


class RunDirectory:
    """A folder to which this process alone writes, until it is released; its methods let `OSError` pass."""

    def __init__(self, path: Path, *, is_new: bool = False):
        """Lock the folder."""
        self.path = path
        self._lock = FileLock(path / _LOCK, timeout=0)
        self._logs: dict[str, JsonLines] = {}
        try:
            self._lock.acquire()
        except Timeout:
            raise RunDirectoryError(
                f"{path} is in use by {self._holder_in_words()}; wait until it ends, or end it."
            ) from None
        except NotImplementedError as error:  # filelock's answer to a file system without locks
            raise RunDirectoryError(f"The file system of {path} knows no locks; give another as --run-dir.") from error
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
        try:
            if is_new:
                require_free(path)  # again, now that no other process can write to it
                remove_unfinished(path)
            (path / _HOLDER).unlink(missing_ok=True)
            with open(path / _HOLDER, "x", encoding="utf-8") as file:  # a new file, and no link
                file.write(json.dumps(holder) + "\n")
        except (OSError, RunDirectoryError):
            self.release()
            raise

    @classmethod
    def create(cls, path: Path | None, command: str) -> "RunDirectory":
        """Take a new or empty folder."""
        with writing(path or Path("runs"), "or give another folder as --run-dir"):
            if path is None:
                path = _new_folder(Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{command}")
            require_free(path)
            path.mkdir(parents=True, exist_ok=True)
            _require_own_files(path)  # before a write: the lock's file would be made, or emptied, through a link
            _require_space(path)
            return cls(path, is_new=True)

    @classmethod
    def reopen(cls, path: Path) -> "RunDirectory":
        """Take the folder of a run."""
        require_run(path)
        with writing(path, "then try again"):
            _require_space(path)
            directory = cls(path)
            remove_unfinished(path)
        return directory

    def write_json(self, name: str, content: Any) -> None:
        """Write a whole JSON file."""
        text = json.dumps(content, indent=2) + "\n"
        write_atomically(self.path / name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_csv(self, name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Write a whole CSV file."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        write_atomically(self.path / name, lambda path: path.write_text(text.getvalue(), encoding="utf-8"))

    def append_line(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        """Append a record to a file of JSON lines; return what the file has, in a resumed run an earlier record."""
        log = self._logs[name] = self._logs.get(name) or JsonLines(self.path / name)
        return log.append(record)

    def finish(self) -> None:
        """Cut off the lines that this run has neither written nor found again."""
        for log in self._logs.values():
            log.finish()

    def release(self) -> None:
        """Let other processes write."""
        with contextlib.suppress(OSError):
            (self.path / _HOLDER).unlink()
        self._lock.release()

    def _holder_in_words(self) -> str:
        try:
            holder = read_json(self.path / _HOLDER, max_bytes=4096)
            pid, host, since = (holder[name] for name in ("pid", "host", "since"))
        except (OSError, ValueError, KeyError):
            return "another process"
        is_credible = type(pid) is int and all(isinstance(text, str) and text.isprintable() for text in (host, since))
        return f"process {pid} on {host} since {since}" if is_credible else "another process"


def resume_command(path: Path, *options: str) -> str:
    """Return the command that goes on with a run, for a shell."""
    return shlex.join(["python", "-m", "glojax.search", "resume", str(path), *options])


def require_run(path: Path) -> None:
    """Raise RunDirectoryError unless a folder holds a run."""
    if not os.path.lexists(path / "config.json") or (path / "config.json").is_dir():
        raise RunDirectoryError(
            f"{path} holds no run (there is no config.json in it); give the folder of one, or begin one with --run-dir."
        )
    _require_own_files(path)


def _require_own_files(path: Path) -> None:
    """Raise RunDirectoryError for the first file of a run that is a link, no regular file, or too large."""
    for name in _OWN:
        try:
            require_readable(path / name)
        except UnfitFileError as error:
            raise RunDirectoryError(str(error)) from error


def require_free(path: Path) -> None:
    """Raise RunDirectoryError unless a new run may take a folder: it does not exist yet, or nothing was done in it."""
    with writing(path, "or give another folder as --run-dir"):
        if path.exists() and not path.is_dir():
            raise RunDirectoryError(f"{path} is a file; give a new or empty folder as --run-dir.")
        names = {child.name for child in path.iterdir()} if path.exists() else set()
    # An end in the middle of the first write leaves an unfinished config.json.
    if any(name not in (_LOCK, _HOLDER) and not is_unfinished(name, "config.json") for name in names):
        is_run = "config.json" in names
        resume = f", or go on with the run that is there by `{resume_command(path)}`" if is_run else ""
        raise RunDirectoryError(
            f"Run directory {path} is not empty; give a new or empty folder as --run-dir{resume}. Nothing was changed."
        )


@contextlib.contextmanager
def writing(path: Path, advice: str) -> Iterator[None]:
    """Raise RunDirectoryError with advice when a file in a folder cannot be written."""
    try:
        yield
    except GlojaxError:
        raise
    except OSError as error:
        raise unwritable(path, error, advice) from error


def unwritable(path: Path, error: OSError, advice: str) -> RunDirectoryError:
    """Return the error, with advice, for a file in a folder that cannot be written."""
    name, cause = error.filename or path, error.strerror or error
    return RunDirectoryError(f"Cannot write {name}: {cause}; make room or make it writable, {advice}.")


def _require_space(path: Path) -> None:
    free, expected = shutil.disk_usage(path).free / 2**20, MIN_FREE_BYTES / 2**20
    if free < expected:
        raise RunDirectoryError(
            f"The disk of {path} has {free:.0f} MB left; expected {expected:.0f} MB: make room, or give a folder "
            "elsewhere as --run-dir."
        )


def _new_folder(path: Path) -> Path:
    """Make a folder that does not exist yet, under the given path, or one with a number; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    candidate, numbers = path, count(2)
    while True:
        with contextlib.suppress(FileExistsError):
            candidate.mkdir()
            return candidate
        candidate = path.with_name(f"{path.name}-{next(numbers)}")
