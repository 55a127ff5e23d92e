"""A journal of finished trainings: a line for each, written to a file at once.

The course of a search follows from its options and from the results of its trainings alone. So the journal is all that
a run has to keep: an interrupted run starts again from the beginning, and takes the known results from the journal.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glojax.errors import RunDirectoryError
from glojax.evaluation.pool import Training
from glojax.files import Appender, append, write_atomically
from glojax.regular_files import parse_json, read_lines
from glojax.tasks import NUM_BINS, ClassCounts
from glojax.training import TrainResult
from glojax.wording import counted

_log = logging.getLogger(__name__)

#: Number of damaged lines above which a file is refused; a damaged block of a disk holds some dozen lines.
MAX_DAMAGED = 10_000

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


class _Key(NamedTuple):
    """The fields that identify a training in the file."""

    context: str
    expression: str
    seed: int
    learning_rate: float


class TrainingJournal:
    """Results of trainings by what they depend on, in a file of JSON lines.

    Each line ends with a checksum of the rest. Lines that were cut off, flipped or edited are left out, with a warning;
    their trainings are done again. Methods raise OSError if the file cannot be read or written, and RunDirectoryError
    if most of it is damaged.

    Args:
        path: The file; the first result creates it. None keeps the results in memory only.
    """

    def __init__(self, path: Path | None = None):
        self._path = path
        self._known: dict[_Key, TrainResult] = {}
        self._requested: dict[_Key, tuple[int, int]] = {}
        self._numbers = count()
        self._file = None if path is None else Appender(path)
        if path is not None and path.exists():
            self._load(path)

    def __len__(self) -> int:
        return len(self._known)

    def new_request(self) -> int:
        """Return the number of the next request: of trainings that come together in the ordered file."""
        return next(self._numbers)

    def find(self, training: Training, request: int | None = None) -> TrainResult | None:
        """Return the result of a training, of NumPy scalars; None if it has not been done.

        `request` is a number that `new_request` gave, by default the next one.
        """
        key = _key(training)
        turn = (self.new_request() if request is None else request, self.new_request())
        self._requested[key] = min(turn, self._requested.get(key, turn))
        return self._known.get(key)

    def add(self, training: Training, result: TrainResult) -> None:
        """Record a result. On return it survives the end of the process, and within a second a loss of power."""
        key = _key(training)
        if self._file is not None:
            self._file.append(_line(key, result))
        self._known[key] = result

    def put_in_order(self) -> None:
        """Rewrite the file in the order of the requests, instead of that in which the results came."""
        if self._path is None:
            return
        requested = sorted(self._requested.keys() & self._known, key=self._requested.__getitem__)
        ordered = {key: self._known[key] for key in requested} | self._known
        if list(ordered) == list(self._known):
            append(self._path, b"", durable=True)
        else:
            self._known = ordered
            self._write(self._path)

    def _load(self, path: Path) -> None:
        damaged = []
        contradicted = set()
        is_whole = True
        for number, line in enumerate(read_lines(path), start=1):
            entry = _entry(line)
            # A crash may leave a last line without its end.
            is_whole = line.endswith(b"\n")
            if entry is None:
                if is_whole:
                    damaged.append(number)
                if len(damaged) > MAX_DAMAGED:
                    raise RunDirectoryError(
                        f"{path} is damaged in more than {MAX_DAMAGED:,} lines; restore it, or delete it to do its "
                        "trainings again."
                    )
                continue
            key, result = entry
            if key in self._known and _record(key, self._known[key]) != _record(key, result):
                contradicted.add(key)
            self._known[key] = result
        for key in contradicted:
            del self._known[key]
        faults = []
        if damaged:
            some = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
            faults.append(f"{counted(len(damaged), 'line')} cannot be trusted (line {some})")
        if contradicted:
            faults.append(f"two different results of {counted(len(contradicted), 'training')}")
        if faults:
            message = "%s is damaged: %s. They are left out, and their trainings are done again."
            _log.warning(message, path, ", and ".join(faults))
        if faults or not is_whole:
            self._write(path)

    def _write(self, path: Path) -> None:
        lines = (_line(key, result) for key, result in self._known.items())
        write_atomically(path, lambda unfinished: unfinished.write_bytes(b"".join(lines)))


def checksum(record: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of a hash of a JSON object."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def result_record(result: TrainResult) -> dict[str, Any]:
    """Return a result, of scalars, as a JSON object."""
    record: dict[str, Any] = {
        "scores": _numbers(result.scores),
        "finite": bool(result.finite),
        "steps": int(result.num_steps),
    }
    if result.curve is not None:
        record["curve"] = _numbers(np.asarray(result.curve))
    if result.class_counts is not None:
        record["class_counts"] = _numbers(result.class_counts._asdict())
    return record


def _numbers(value: Any) -> Any:
    """Return float32 numbers for JSON, as the shortest text that reads back as the same; None where not finite."""
    if isinstance(value, dict):
        return {name: _numbers(part) for name, part in value.items()}
    if np.ndim(value):
        return [_numbers(part) for part in np.asarray(value)]
    return float(str(np.float32(value))) if np.isfinite(value) else None


def recorded_result(record: Mapping[str, Any]) -> TrainResult:
    """Return the result, of NumPy scalars, that `result_record` has recorded."""
    scores = {split: np.float32(value) for split, value in record["scores"].items()}
    curve = None
    if "curve" in record:
        curve = np.array([np.nan if score is None else score for score in record["curve"]], np.float32)
    counts = None
    if "class_counts" in record:
        arrays: Any = {name: np.array(value, np.float32) for name, value in record["class_counts"].items()}
        counts = ClassCounts(**arrays)
    finite, num_steps = np.bool_(record["finite"]), np.int32(record["steps"])
    return TrainResult(scores, finite, num_steps, curve, counts)  # type: ignore[arg-type]


def crashed_result(splits: Sequence[str]) -> TrainResult:
    """Return the result of a training that ends every worker: no score, and no step, unlike any other training."""
    return recorded_result({"scores": dict.fromkeys(splits, 0.0), "finite": False, "steps": 0})


def _key(training: Training) -> _Key:
    return _Key(training.context, str(training.tree), training.seed, training.learning_rate)


def _record(key: _Key, result: TrainResult) -> dict[str, Any]:
    return key._asdict() | result_record(result)


def _line(key: _Key, result: TrainResult) -> bytes:
    record = _record(key, result)
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _entry(line: bytes) -> tuple[_Key, TrainResult] | None:
    """Read a line; None if it is damaged."""
    try:
        record = parse_json(line)
        claimed = record.pop("checksum")
        key = _Key(*(record[name] for name in _Key._fields))
        scores, finite, steps = record["scores"], record["finite"], record["steps"]
        well_formed = (
            claimed == checksum(record)
            and isinstance(key.context, str)
            and isinstance(key.expression, str)
            and type(key.seed) is int
            and type(key.learning_rate) is float
            and 0 < key.learning_rate <= _MAX_FLOAT32
            and all(map(_is_number, scores.values()))
            and isinstance(finite, bool)
            and type(steps) is int
            and 0 <= steps < 2**31
            and all(score is None or _is_number(score) for score in record.get("curve", []))
            and ("class_counts" not in record or _are_counts(**record["class_counts"]))
        )
        return (key, recorded_result(record)) if well_formed else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and abs(value) <= _MAX_FLOAT32


def _are_counts(confusion: list[list[float]], bins: list[list[float]]) -> bool:
    shape = (len(confusion), len(confusion)), (3, NUM_BINS)
    numbers = (number for rows in (confusion, bins) for row in rows for number in row)
    return all(map(_is_number, numbers)) and (np.shape(confusion), np.shape(bins)) == shape
