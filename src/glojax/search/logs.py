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
from glojax.files import Appender, append, write_atomically

_log = logging.getLogger(__name__)


class JsonLines:
    """Appends records to a file; equal records that the file has already, in the same lines, stay.

    A resumed run makes all records again: the file is written anew from the first line that differs.
    """

    def __init__(self, path: Path):
        self._path = path
        self._found = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        self._position = 0

    def append(self, record: dict[str, Any]) -> dict[str, Any]:
        """Append a record; return the equal one that the file has, or the record itself."""
        line = (json.dumps(record) + "\n").encode()
        standing = _parsed(self._found[self._position]) if self._position < len(self._found) else None
        # Only the time that a record took may differ.
        if standing is not None and standing | {"seconds": 0} == json.loads(line) | {"seconds": 0}:
            self._position += 1
            return standing
        self.finish()
        append(self._path, line, durable=False)
        return record

    def finish(self) -> None:
        """Cut off all lines after the last record."""
        message = "%s is damaged or was changed in line %d; from there on it is written anew."
        _keep(self._position, self._found, self._path, message)
        self._found, self._position = [], 0


def _keep(number: int, lines: list[bytes], path: Path, message: str) -> None:
    """Keep so many lines of a file, and warn of the loss, except of a last line without its end, left by a crash."""
    rest = lines[number:]
    if len(rest) > 1 or (rest and rest[0].endswith(b"\n")):
        _log.warning(message, path, number + 1)
    if rest:
        write_atomically(path, lambda unfinished: unfinished.write_bytes(b"".join(lines[:number])))


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


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
        lines = path.read_bytes().splitlines(keepends=True)
        num_asked, outstanding = 0, set[int]()
        for number, line in enumerate(lines):
            event = _event(number, line)
            if event == ("asked", num_asked):
                outstanding.add(num_asked)
                num_asked += 1
            elif event is not None and event.kind == "told" and event.candidate in outstanding:
                outstanding.remove(event.candidate)
            else:
                break
            self.events.append(event)
        lost = "from there on the order of completion is lost, and the search may go on otherwise than it did."
        _keep(len(self.events), lines, path, f"%s is damaged in line %d: {lost}")


def _line(number: int, event: Event) -> bytes:
    record = {"number": number + 1, "event": event.kind, "candidate": event.candidate}
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _event(number: int, line: bytes) -> Event | None:
    """Read the line of a number, from 0; None if it is damaged."""
    try:
        record = json.loads(line)
        event = Event(record["event"], record["candidate"])
        return event if line == _line(number, event) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
