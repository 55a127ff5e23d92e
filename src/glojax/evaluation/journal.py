"""Trainings that are done, one line each, in a file as soon as they are known.

What a search does follows from its options and from the results of its trainings alone. So these are all that a run has
to remember: a run that was interrupted is run again from its start, and takes from here what it has paid for already.
"""

import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glojax.datasets import Dataset
from glojax.files import Appender, append, write_atomically
from glojax.networks import NetworkFactory
from glojax.training import TrainingConfig, TrainResult

_log = logging.getLogger(__name__)

#: Bytes of the longest line that is looked at.
MAX_LINE = 2**20

_HASH_DIGITS = 16


class Training(NamedTuple):
    """What the result of a training depends on.

    Attributes:
        context: Of data, network and configuration; see `training_context`.
        expression: The loss function in canonical form, as text.
        seed: Of initial network, batches, augmentation and dropout.
        learning_rate: A float32.
    """

    context: str
    expression: str
    seed: int
    learning_rate: float


class TrainingJournal:
    """Results of trainings by what they depend on, in a file of JSON lines.

    Each line ends with a checksum of the rest. What was cut off, flipped or edited is left out, and said: it will be
    trained again.

    Args:
        path: The file; it is made with the first result. None remembers nothing beyond this process.

    Raises:
        OSError: The file cannot be read or, where it is damaged, written.
    """

    def __init__(self, path: Path | None = None):
        self._path = path
        self._known: dict[Training, TrainResult] = {}
        self._asked: dict[Training, None] = {}
        self._file = None if path is None else Appender(path)
        if path is not None and path.exists():
            self._load(path)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def results(self) -> Mapping[Training, TrainResult]:
        """All that is known."""
        return self._known

    def find(self, training: Training) -> TrainResult | None:
        """The result of a training, of NumPy scalars; None where it is still to be done."""
        self._asked[training] = None
        return self._known.get(training)

    def add(self, training: Training, result: TrainResult) -> None:
        """Remember a result: when this returns, it survives the end of the process; a loss of power, within a second.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        self._known[training] = result
        if self._file is not None:
            self._file.append(_line(training, result))

    def put_in_order(self) -> None:
        """Write the file anew, in the order in which the run needed the results, not that in which they came.

        Raises:
            OSError: The disk is full, or cannot be written.
        """
        ordered = {training: self._known[training] for training in self._asked if training in self._known}
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
            # A line without its end is what a crash leaves of the last one.
            is_whole = line.endswith(b"\n")
            if entry is None:
                if is_whole:
                    damaged.append(number)
                continue
            training, result = entry
            if training in self._known and _record(training, self._known[training]) != _record(training, result):
                contradicted.add(training)
            self._known[training] = result
        for training in contradicted:
            del self._known[training]
        if damaged or contradicted:
            _log.warning(
                "%s is damaged: %s. They are left out, and what they held is trained again.",
                path,
                _in_words(damaged, len(contradicted)),
            )
        if damaged or contradicted or not is_whole:
            self._write(path)

    def _write(self, path: Path) -> None:
        lines = (_line(training, result) for training, result in self._known.items())
        write_atomically(path, lambda unfinished: unfinished.write_bytes(b"".join(lines)))


def training_context(dataset: Dataset, network: NetworkFactory, config: TrainingConfig) -> str:
    """What trainings depend on in common, as 16 hexadecimal digits: configuration, network by name, and data."""
    name = network_name(network).replace(":", ".")
    return checksum({"config": dataclasses.asdict(config), "dataset": dataset.fingerprint, "network": name})


def network_name(network: NetworkFactory) -> str:
    """MODULE:NAME of a network."""
    return f"{getattr(network, '__module__', '')}:{getattr(network, '__qualname__', repr(network))}"


def checksum(record: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of what a JSON object says."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:_HASH_DIGITS]


def crashed_result(splits: Sequence[str]) -> TrainResult:
    """Of a training that ends whoever does it: no accuracy, and no step, as every other training takes one at least."""
    return recorded_result({"accuracy": dict.fromkeys(splits, 0.0), "finite": False, "steps": 0})


def has_crashed(result: TrainResult) -> bool:
    """Whether a result, or one of several [K], is that of `crashed_result`."""
    return bool(np.any(np.asarray(result.num_steps) == 0))


def result_record(result: TrainResult) -> dict[str, Any]:
    """A result, of scalars, as a JSON object."""
    return {
        # The shortest text that reads back as the same float32.
        "accuracy": {split: float(str(accuracy)) for split, accuracy in result.accuracy.items()},
        "finite": bool(result.finite),
        "steps": int(result.num_steps),
    }


def recorded_result(record: Mapping[str, Any]) -> TrainResult:
    """The result, of NumPy scalars, that `result_record` has recorded."""
    accuracies = {split: np.float32(value) for split, value in record["accuracy"].items()}
    return TrainResult(accuracies, np.bool_(record["finite"]), np.int32(record["steps"]))  # type: ignore[arg-type]


def _record(training: Training, result: TrainResult) -> dict[str, Any]:
    return training._asdict() | result_record(result)


def _line(training: Training, result: TrainResult) -> bytes:
    record = _record(training, result)
    return (json.dumps(record | {"checksum": checksum(record)}) + "\n").encode()


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, each cut off after `MAX_LINE` bytes."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            yield line


def _entry(line: bytes) -> tuple[Training, TrainResult] | None:
    """What a line says; None where it is damaged."""
    try:
        record = json.loads(line)
        claimed = record.pop("checksum")
        training = Training(*(record[name] for name in Training._fields))
        accuracy, finite, steps = record["accuracy"], record["finite"], record["steps"]
        well_formed = (
            claimed == checksum(record)
            and isinstance(training.context, str)
            and isinstance(training.expression, str)
            and type(training.seed) is int
            and type(training.learning_rate) is float
            and all(isinstance(value, float) and 0 <= value <= 1 for value in accuracy.values())
            and isinstance(finite, bool)
            and type(steps) is int
            and 0 <= steps < 2**31
            and not math.isnan(training.learning_rate)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return (training, recorded_result(record)) if well_formed else None


def _in_words(damaged: list[int], num_contradicted: int) -> str:
    parts = []
    if damaged:
        some = ", ".join(map(str, damaged[:5])) + (", ..." if len(damaged) > 5 else "")
        parts.append(f"{len(damaged)} lines cannot be trusted (line {some})")
    if num_contradicted:
        parts.append(f"{num_contradicted} trainings have two different results")
    return ", and ".join(parts)
