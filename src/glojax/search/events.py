"""What happened in an asynchronous search, in its order, one line each: a candidate was drawn, or came back.

What such a search does follows from its options, from the results of its trainings, and from this order. A draw is
written before its candidate is trained, and that it came back after its results are in the file of trainings, but
before anything follows from it. So a crash in between loses no training: all candidates that were drawn are drawn
again, and those that are found to be trained come back at once. Should a result be missing though its candidate came
back, it is trained again, and waited for.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from glojax.evaluation import checksum
from glojax.files import Appender, write_atomically

_log = logging.getLogger(__name__)

FILE = "events.jsonl"


class Event(NamedTuple):
    """What happened to a candidate.

    Attributes:
        kind: `drawn`, or `back` with its evaluation.
        candidate: Its number, from 0, in the order in which candidates were drawn.
    """

    kind: Literal["drawn", "back"]
    candidate: int


class EventLog:
    """Events in their order, in a file of JSON lines.

    Each line has its number and ends with a checksum of the rest. From the first that is not as it should be the file
    is cut off, and what it held from there on is said to be lost.

    Args:
        path: The file; it is made with the first event.

    Raises:
        OSError: The file cannot be read or, where it is damaged, written.
    """

    def __init__(self, path: Path):
        self._file = Appender(path)
        self._events: list[Event] = []
        if path.exists():
            self._load(path)

    @property
    def events(self) -> Sequence[Event]:
        """All that are known."""
        return self._events

    def add(self, event: Event) -> None:
        """Remember the next event: it survives the end of the process; a loss of power, within `SYNC_SECONDS`.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        self._file.append(_line(len(self._events), event))
        self._events.append(event)

    def _load(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        num_drawn, out = 0, set[int]()
        for number, line in enumerate(lines):
            event = _event(number, line)
            if event == ("drawn", num_drawn):
                out.add(num_drawn)
                num_drawn += 1
            elif event is not None and event.kind == "back" and event.candidate in out:
                out.remove(event.candidate)
            else:
                break
            self._events.append(event)
        whole = len(self._events)
        if whole == len(lines):
            return
        # A line without its end is what a crash leaves of the last one.
        if whole < len(lines) - 1 or lines[-1].endswith(b"\n"):
            _log.warning(
                "%s is damaged in line %d: from there on the order in which candidates came back is lost, and the "
                "search may go on otherwise than it did.",
                path,
                whole + 1,
            )
        write_atomically(path, lambda unfinished: unfinished.write_bytes(b"".join(lines[:whole])))


def _line(number: int, event: Event) -> bytes:
    record = {"number": number + 1, "event": event.kind, "candidate": event.candidate}
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _event(number: int, line: bytes) -> Event | None:
    """What the line of a number, from 0, says; None where it is damaged."""
    try:
        record = json.loads(line)
        event = Event(record["event"], record["candidate"])
        well_formed = event.kind in ("drawn", "back") and type(event.candidate) is int and line == _line(number, event)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return event if well_formed else None
