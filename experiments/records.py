"""Outcomes as JSON files, which accumulate in `results/`.

format                  version of this format
command                 makes the record again, bit for bit on the same machine, except for the last three fields
...                     options, data and outcome; see `training_record` for a training, `searches` for a search
versions, device        the versions of the libraries, and the machine
commit, measured, seconds

A training's record is in `results/trainings/DATASET/`, and serves every experiment that needs such a training.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import dacite

from benchmarks import machine
from experiments.trainings import Training, dataset_name
from glojax.datasets import Dataset
from glojax.errors import GlojaxError, in_one_line
from glojax.files import write_atomically
from glojax.regular_files import read_json
from glojax.training import config_record

FORMAT = 1
RESULTS = Path(__file__).parent / "results"

#: Fields that differ between two runs of a record's command.
CIRCUMSTANCES = ("commit", "measured", "seconds")

#: The commit when this process has loaded the code; the files may have changed when it ends.
_COMMIT = machine.commit()


class RecordError(GlojaxError):
    """A file is no record of this format."""


class Records:
    """The records in a folder.

    Args:
        folder: The folder, which need not exist yet.
    """

    def __init__(self, folder: Path = RESULTS):
        self.folder = folder
        # A name with a leading dot is that of an interrupted write.
        paths = sorted((folder / "trainings").glob("*/[!.]*.json"))
        self.trainings = list(map(_recorded_training, paths))

    def write_training(self, training: Training, record: dict[str, Any]) -> None:
        """Add the record of a training."""
        write_record(self.folder / "trainings" / dataset_name(training.dataset) / f"{training.name}.json", record)
        self.trainings.append((training, record))

    def missing(self, wanted: Sequence[Training]) -> list[Training]:
        """Return the trainings that no record covers."""
        return [training for training in wanted if not any(known.covers(training) for known, _ in self.trainings)]

    def accuracy(self, training: Training, step: int, split: str = "test") -> float | None:
        """Return the accuracy in [0, 1] after a step of such a training, of any schedule; None if not measured.

        That of a training which ends with the step comes before that of a longer one.
        """
        known = [one for one in self.trainings if one[0].has_course_of(training) and step in one[1]["outcome"]["steps"]]
        for _, record in sorted(known, key=lambda one: one[0].steps):
            return float(record["outcome"][split][record["outcome"]["steps"].index(step)])
        return None

    def accuracies(
        self, training: Training, step: int, split: str = "test", seeds: Iterable[int] | None = None
    ) -> list[float]:
        """Return the accuracy for each seed with which it was measured, in order; None for all known seeds."""
        if seeds is None:
            seeds = sorted({known.seed for known, _ in self.trainings})
        found = (self.accuracy(replace(training, seed=seed), step, split) for seed in seeds)
        return [accuracy for accuracy in found if accuracy is not None]

    def broken_off(self, training: Training) -> list[int]:
        """Return the seeds with which such a training's loss did not stay finite; its accuracy is 0 from then on."""
        return sorted(
            known.seed
            for known, record in self.trainings
            if known.has_course_of(replace(training, seed=known.seed)) and not record["outcome"]["finite"]
        )

    def outcome(self, training: Training) -> dict[str, Any] | None:
        """Return the outcome that covers a training; None if there is none."""
        return next((record["outcome"] for known, record in self.trainings if known.covers(training)), None)

    def search(self, name: str) -> dict[str, Any] | None:
        """Return the record of a search; None if there is none."""
        path = self.folder / f"{name}.json"
        return read_record(path) if path.exists() else None


def training_record(training: Training, dataset: Dataset, outcome: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return the record of a training.

    Args:
        training: The training.
        dataset: Its data.
        outcome: The accuracies on `validation` and `test` after `steps`; whether it stayed `finite`, and for how many
            steps (`num_steps`); and the `histogram` of the test set's probabilities, or None.
        seconds: Wall time, compilation and measurements included; in a population since the result before, in one
            of curves an equal share of its time.
    """
    fields = {
        "training": asdict(training),
        "expression": str(training.tree),
        "network": training.network,
        "config": config_record(training.config),
        "dataset": {
            "name": dataset.name,
            "fingerprint": dataset.fingerprint,
            "test_split": dataset.test_split,
            "images": {name: len(split) for name, split in dataset.splits.items()},
        },
        "outcome": dict(outcome),
    }
    return record_of(training.command, fields, seconds)


def record_of(command: str, fields: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return a record: the fields with versions, machine, commit and time."""
    record = {
        "format": FORMAT,
        "command": command,
        **fields,
        "versions": machine.versions(),
        "device": machine.device(),
        "commit": _COMMIT,
        "measured": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }
    # The record as it is read back, with lists for tuples.
    again: dict[str, Any] = json.loads(json.dumps(record))
    return again


def reproducible(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a record that its command makes again bit for bit."""
    return {name: value for name, value in record.items() if name not in CIRCUMSTANCES}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record atomically."""
    text = json.dumps(record, indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda unfinished: unfinished.write_text(text))


def read_record(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        RecordError: The file is no record of this format.
    """
    try:
        record = read_json(path)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read as JSON: {error}; delete it, and it is made again.") from error
    if record.get("format") != FORMAT:
        found = str(record.get("format"))[:20]
        raise RecordError(f"{path} is of format {found}; expected a record of format {FORMAT}: delete it.")
    return record


@dataclass
class _Outcome:
    """The fields of an outcome that are read, with their types."""

    steps: list[int]
    validation: list[float]
    test: list[float]
    finite: bool


def _recorded_training(path: Path) -> tuple[Training, dict[str, Any]]:
    """Read the record of a training, and check the types of what is read of it."""
    record = read_record(path)
    try:
        training = dacite.from_dict(Training, record["training"], dacite.Config(strict=True))
        outcome = dacite.from_dict(_Outcome, record["outcome"])
    except (dacite.DaciteError, GlojaxError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(f"{path} is no record of a training ({in_one_line(error)}); delete it.") from error
    if not len(outcome.steps) == len(outcome.validation) == len(outcome.test):
        raise RecordError(f"{path} has not one accuracy for each step; delete it.")
    return training, record
