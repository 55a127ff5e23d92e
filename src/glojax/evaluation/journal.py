"""A journal of finished trainings: a line for each, written to a file at once.

The course of a search follows from its options and from the results of its trainings alone. So the journal is all that
a run has to keep: an interrupted run starts again from the beginning, and takes the known results from the journal.
"""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glojax.evaluation.pool import Training
from glojax.evaluation.results import recorded_result, result_record
from glojax.files import Appender, append, write_atomically
from glojax.training import TrainResult

_log = logging.getLogger(__name__)

#: Greatest number of bytes that are read of a line.
MAX_LINE = 2**20

_HASH_DIGITS = 16

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


class _Key(NamedTuple):
    """A training as it is written in the file."""

    context: str
    expression: str
    seed: int
    learning_rate: float

    @classmethod
    def of(cls, training: Training) -> "_Key":
        return cls(training.context, str(training.tree), training.seed, training.learning_rate)


class TrainingJournal:
    """Results of trainings by what they depend on, in a file of JSON lines.

    Each line ends with a checksum of the rest. Lines that were cut off, flipped or edited are left out, with a warning;
    their trainings are done again.

    Args:
        path: The file; the first result creates it. None keeps the results in memory only.

    Raises:
        OSError: The file cannot be read or, where it is damaged, written.
    """

    def __init__(self, path: Path | None = None):
        self._path = path
        self._known: dict[_Key, TrainResult] = {}
        self._requested: dict[_Key, None] = {}
        self._file = None if path is None else Appender(path)
        if path is not None and path.exists():
            self._load(path)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, training: Training) -> TrainResult | None:
        """Return the result of a training, of NumPy scalars; None if it has not been done."""
        key = _Key.of(training)
        self._requested[key] = None
        return self._known.get(key)

    def add(self, training: Training, result: TrainResult) -> None:
        """Record a result. On return it survives the end of the process, and within a second a loss of power.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        key = _Key.of(training)
        self._known[key] = result
        if self._file is not None:
            self._file.append(_line(key, result))

    def put_in_order(self) -> None:
        """Rewrite the file in the order in which the run requested the results, instead of that in which they came.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        ordered = {key: self._known[key] for key in self._requested if key in self._known}
        ordered |= self._known
        if self._path is None:
            return
        if list(ordered) == list(self._known):
            append(self._path, b"", durable=True)
        else:
            self._known = ordered
            self._write(self._path)

    def _load(self, path: Path) -> None:
        damaged = []
        contradicted = set()
        is_whole = True
        for number, line in enumerate(_lines(path), start=1):
            entry = _entry(line)
            # A crash may leave a last line without its end.
            is_whole = line.endswith(b"\n")
            if entry is None:
                if is_whole:
                    damaged.append(number)
                continue
            key, result = entry
            if key in self._known and _record(key, self._known[key]) != _record(key, result):
                contradicted.add(key)
            self._known[key] = result
        for key in contradicted:
            del self._known[key]
        if damaged or contradicted:
            _log.warning(
                "%s is damaged: %s. They are left out, and their trainings are done again.",
                path,
                _in_words(damaged, len(contradicted)),
            )
        if damaged or contradicted or not is_whole:
            self._write(path)

    def _write(self, path: Path) -> None:
        lines = (_line(key, result) for key, result in self._known.items())
        write_atomically(path, lambda unfinished: unfinished.write_bytes(b"".join(lines)))


def checksum(record: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of a hash of a JSON object."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:_HASH_DIGITS]


def _record(key: _Key, result: TrainResult) -> dict[str, Any]:
    return key._asdict() | result_record(result)


def _line(key: _Key, result: TrainResult) -> bytes:
    record = _record(key, result)
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, each cut off after `MAX_LINE` bytes."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            yield line


def _entry(line: bytes) -> tuple[_Key, TrainResult] | None:
    """Read a line; None if it is damaged."""
    try:
        record = json.loads(line)
        claimed = record.pop("checksum")
        key = _Key(*(record[name] for name in _Key._fields))
        scores, finite, steps = record["scores"], record["finite"], record["steps"]
        well_formed = (
            claimed == checksum(record)
            and isinstance(key.context, str)
            and isinstance(key.expression, str)
            and type(key.seed) is int
            and type(key.learning_rate) is float
            and all(isinstance(value, float) and abs(value) <= _MAX_FLOAT32 for value in scores.values())
            and isinstance(finite, bool)
            and type(steps) is int
            and 0 <= steps < 2**31
            and not math.isnan(key.learning_rate)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return (key, recorded_result(record)) if well_formed else None


def _in_words(damaged: list[int], num_contradicted: int) -> str:
    parts = []
    if damaged:
        some = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
        parts.append(f"{len(damaged)} lines cannot be trusted (line {some})")
    if num_contradicted:
        parts.append(f"{num_contradicted} trainings have two different results")
    return ", and ".join(parts)
