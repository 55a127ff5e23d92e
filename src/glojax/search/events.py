"""The event log of a search that tells evaluations in the order of their completion: a line for each event.

The course of such a search follows from its options, from the results of its trainings, and from this order. The log
records that a candidate was asked for before it is trained, and that its evaluation was told after its results are in
the journal, but before anything follows from it. So a crash loses no training: all candidates are asked for again, and
those whose trainings are done come back at once. A missing result is trained again, and waited for.
"""

import json
import logging
from pathlib import Path
from typing import Literal, NamedTuple

from glojax.evaluation import checksum
from glojax.files import Appender, write_atomically

_log = logging.getLogger(__name__)


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
        whole = len(self.events)
        if whole == len(lines):
            return
        # A crash may leave a last line without its end.
        if whole < len(lines) - 1 or lines[-1].endswith(b"\n"):
            _log.warning(
                "%s is damaged in line %d: from there on the order of completion is lost, and the search may go on "
                "otherwise than it did.",
                path,
                whole + 1,
            )
        write_atomically(path, lambda unfinished: unfinished.write_bytes(b"".join(lines[:whole])))


def _line(number: int, event: Event) -> bytes:
    record = {"number": number + 1, "event": event.kind, "candidate": event.candidate}
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _event(number: int, line: bytes) -> Event | None:
    """Read the line of a number, from 0; None if it is damaged."""
    try:
        record = json.loads(line)
        event = Event(record["event"], record["candidate"])
        well_formed = event.kind in ("asked", "told") and type(event.candidate) is int and line == _line(number, event)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return event if well_formed else None
