"""The order in which the candidates of an asynchronous search came back, one line each.

What such a search does follows from its options, from the results of its trainings, and from this order. A completion
is written after the results that belong to it, which are in the file of trainings by then, and before anything follows
from it. So a crash between the two loses a line and no training: the candidate is drawn again, is found to be trained,
and completes anew. Should a result be missing all the same, its candidate is trained again, and waited for.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from glojax.evaluation import checksum
from glojax.files import append, write_atomically

_log = logging.getLogger(__name__)

FILE = "completions.jsonl"


class Completion(NamedTuple):
    """A candidate that came back.

    Attributes:
        candidate: Its number, from 0, in the order in which candidates were drawn.
        drawn: How many candidates had been drawn by then, at least `candidate + 1`.
    """

    candidate: int
    drawn: int


class CompletionLog:
    """Completions in their order, in a file of JSON lines.

    Each line has its number and ends with a checksum of the rest. From the first that is not as it should be the file
    is cut off, and what it held from there on is said to be lost.

    Args:
        path: The file; it is made with the first completion. None remembers nothing beyond this process.

    Raises:
        OSError: The file cannot be read or, where it is damaged, written.
    """

    def __init__(self, path: Path | None = None):
        self._path = path
        self._completions: list[Completion] = []
        if path is not None and path.exists():
            self._load(path)

    @property
    def completions(self) -> Sequence[Completion]:
        """All that are known."""
        return self._completions

    def add(self, completion: Completion) -> None:
        """Remember the next completion.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        if self._path is not None:
            append(self._path, _line(len(self._completions), completion), durable=False)
        self._completions.append(completion)

    def _load(self, path: Path) -> None:
        seen: set[int] = set()
        lines = path.read_bytes().splitlines(keepends=True)
        for number, line in enumerate(lines):
            completion = _completion(number, line)
            before = self._completions[-1].drawn if self._completions else 0
            if completion is None or completion.candidate in seen or completion.drawn < before:
                break
            seen.add(completion.candidate)
            self._completions.append(completion)
        whole = len(self._completions)
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


def _line(number: int, completion: Completion) -> bytes:
    record = {"number": number + 1, **completion._asdict()}
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _completion(number: int, line: bytes) -> Completion | None:
    """What the line of a number, from 0, says; None where it is damaged."""
    try:
        record = json.loads(line)
        completion = Completion(record["candidate"], record["drawn"])
        well_formed = (
            type(completion.candidate) is int
            and type(completion.drawn) is int
            and 0 <= completion.candidate < completion.drawn
            and line == _line(number, completion)
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return completion if well_formed else None
