"""Logs of JSON lines that a resumed run goes on with: records that it makes again, and the order of completion.

A search may tell evaluations in the order of their completion. Its course follows from its options, from the results of
its trainings, and from this order. The log records that a candidate was asked for before it is trained, and that its
evaluation was told after its results are in the journal, but before anything follows from it. So a crash loses no
training: all candidates are asked for again, and those whose trainings are done come back at once. A missing result is
trained again, and waited for.
"""

import json
import logging
from pathlib import Path
from typing import Any, Literal, NamedTuple

from glojax.evaluation import checksum
from glojax.files import Appender, append, truncate
from glojax.regular_files import MAX_LINE, parse_json, read_lines

_log = logging.getLogger(__name__)


class JsonLines:
    """Appends records to a file; equal records that the file has already, in the same lines, stay.

    A resumed run makes all records again: the file is written anew from the first line that differs.
    """

    def __init__(self, path: Path):
        self._path = path
        self._standing = _Lines(path)

    def append(self, record: dict[str, Any]) -> dict[str, Any]:
        """Append a record; return the equal one that the file has, or the record itself."""
        standing = _parsed(self._standing.next)
        if standing is not None and _repeats(standing, record):
            self._standing.keep()
            return standing
        self.finish()
        append(self._path, (json.dumps(record) + "\n").encode(), durable=False)
        return record

    def finish(self) -> None:
        """Cut off all lines after the last record."""
        self._standing.cut_off("%s is damaged or was changed in line %d; from there on it is written anew.")


class _Lines:
    """The lines of a file, of which the first so many stay.

    Attributes:
        next: The line after those that stay; empty at the end of the file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._rest = read_lines(path) if path.exists() else iter(())
        self._number = self._num_bytes = 0
        self.next = next(self._rest, b"")

    def keep(self) -> None:
        """Let the next line stay."""
        self._number, self._num_bytes = self._number + 1, self._num_bytes + len(self.next)
        self.next = next(self._rest, b"")

    def cut_off(self, message: str) -> None:
        """Cut off the rest, and warn of the loss, except of a last line without its end, left by a crash."""
        if self.next.endswith(b"\n") or len(self.next) == MAX_LINE:
            _log.warning(message, self._path, self._number + 1)
        if self.next:
            truncate(self._path, self._num_bytes)
        self._rest, self.next = iter(()), b""


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = parse_json(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _repeats(standing: dict[str, Any], record: dict[str, Any]) -> bool:
    """Return whether a line says what a record says, in the same types; only the time that it took may differ."""
    if "seconds" in record:
        seconds = standing.get("seconds")
        if type(seconds) is not float or not 0 <= seconds < float("inf"):
            return False
        record = record | {"seconds": seconds}
    return json.dumps(standing, sort_keys=True) == json.dumps(record, sort_keys=True)


class Event(NamedTuple):
    """An event in the life of a candidate."""

    kind: Literal["asked", "told"]
    candidate: int


class EventLog:
    """Events in their order, in a file of JSON lines.

    Each line has its number and ends with a checksum of the rest. The file is cut off before the first line that is
    damaged, with a warning.
    """

    def __init__(self, path: Path | None = None):
        self.events: list[Event] = []
        self._file = None if path is None else Appender(path)
        if path is not None and path.exists():
            self._load(path)

    def add(self, event: Event) -> None:
        """Record the next event. On return it survives the end of the process, and within a second a loss of power."""
        if self._file is not None:
            self._file.append(_line(len(self.events), event))
        self.events.append(event)

    def _load(self, path: Path) -> None:
        lines = _Lines(path)
        num_asked, outstanding = 0, set[int]()
        while lines.next:
            event = _event(len(self.events), lines.next)
            if event == ("asked", num_asked):
                outstanding.add(num_asked)
                num_asked += 1
            elif event is not None and event.kind == "told" and event.candidate in outstanding:
                outstanding.remove(event.candidate)
            else:
                break
            self.events.append(event)
            lines.keep()
        lost = "from there on the order of completion is lost, and the search may go on otherwise than it did."
        lines.cut_off(f"%s is damaged in line %d: {lost}")


def _line(number: int, event: Event) -> bytes:
    record = {"number": number + 1, "event": event.kind, "candidate": event.candidate}
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _event(number: int, line: bytes) -> Event | None:
    """Read the line of a number, from 0; None if it is damaged."""
    try:
        record = parse_json(line)
        event = Event(record["event"], record["candidate"])
        return event if type(event.candidate) is int and line == _line(number, event) else None
    except (ValueError, TypeError, KeyError):
        return None
