"""Outcomes as JSON, one file each, which accumulate in `results/`.

format                  number of this form
command                 what makes the record again, bit for bit on the same machine, but for the last three fields
...                     what was run, on which data, and what came of it; see `training_record` for a training
versions, device        of the libraries; of the machine
commit, measured, seconds

A training's record lies in `results/trainings/DATASET/`, and serves every experiment that asks for such a training.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from experiments.trainings import Training, dataset_name
from glojax.datasets import Dataset
from glojax.errors import GlojaxError
from glojax.files import write_atomically

FORMAT = 1
RESULTS = Path(__file__).parent / "results"

#: Fields that differ from one making of a record to the next.
CIRCUMSTANCES = ("commit", "measured", "seconds")

#: Of the code that this process has loaded, whatever the files say when it ends.
_COMMIT = machine.commit()


class RecordError(GlojaxError):
    """A file is no record of this form."""


class Records:
    """The records in a folder.

    Args:
        folder: Where they are; it need not exist yet.
    """

    def __init__(self, folder: Path = RESULTS):
        self.folder = folder
        # A name that begins with a dot is of a write that was broken off.
        paths = sorted((folder / "trainings").glob("*/[!.]*.json"))
        self.trainings = [(Training(**record["training"]), record) for record in map(read_record, paths)]

    def write_training(self, training: Training, record: dict[str, Any]) -> None:
        """Add the record of a training."""
        write_record(self.folder / "trainings" / dataset_name(training.dataset) / f"{training.name}.json", record)
        self.trainings.append((training, record))

    def missing(self, wanted: Sequence[Training]) -> list[Training]:
        """Those that no record covers."""
        return [training for training in wanted if not any(known.covers(training) for known, _ in self.trainings)]

    def accuracy(self, training: Training, step: int, split: str = "test") -> float | None:
        """Accuracy in [0, 1] after a step of such a training, whatever its schedule; None where it was not measured."""
        for known, record in self.trainings:
            if known.goes_as(training) and step in record["outcome"]["steps"]:
                return float(record["outcome"][split][record["outcome"]["steps"].index(step)])
        return None

    def accuracies(
        self, training: Training, step: int, split: str = "test", seeds: Iterable[int] | None = None
    ) -> list[float]:
        """As `accuracy`, of several seeds: of all with which it was measured, in their order, where none are given."""
        if seeds is None:
            seeds = sorted({known.seed for known, _ in self.trainings})
        found = (self.accuracy(replace(training, seed=seed), step, split) for seed in seeds)
        return [accuracy for accuracy in found if accuracy is not None]

    def broken_off(self, training: Training) -> list[int]:
        """Seeds with which such a training's loss did not stay finite: from then on its accuracy is 0."""
        return sorted(
            known.seed
            for known, record in self.trainings
            if known.goes_as(replace(training, seed=known.seed)) and not record["outcome"]["finite"]
        )

    def outcome(self, training: Training) -> dict[str, Any] | None:
        """The outcome that covers a training."""
        return next((record["outcome"] for known, record in self.trainings if known.covers(training)), None)

    def search(self, name: str) -> dict[str, Any] | None:
        """The record of a search; None where there is none."""
        path = self.folder / f"{name}.json"
        return read_record(path) if path.exists() else None


def training_record(training: Training, dataset: Dataset, outcome: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """What is written of a training.

    Args:
        training: What was asked for.
        dataset: What it was trained on.
        outcome: The accuracies on `validation` and `test` after `steps`; whether it stayed `finite`, and for how many
            steps (`num_steps`); and the `histogram` of the test set's probabilities, or None.
        seconds: How long it took, compilation and measurements included, beside others on the other cores.
    """
    fields = {
        "training": asdict(training),
        "expression": str(training.tree),
        "network": training.recipe.network,
        "config": asdict(training.training_config()),
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
    """A record, with versions, machine and circumstances."""
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
    # As it will be read again, with lists for tuples.
    again: dict[str, Any] = json.loads(json.dumps(record))
    return again


def reproducible(record: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a record that its command makes again bit for bit."""
    return {name: value for name, value in record.items() if name not in CIRCUMSTANCES}


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a whole file, or nothing."""
    text = json.dumps(record, indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda unfinished: unfinished.write_text(text))


def read_record(path: Path) -> dict[str, Any]:
    """Read what `write_record` has written.

    Raises:
        RecordError: The file is none of this form.
    """
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read as JSON: {error}; delete it, and it is made again.") from error
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise RecordError(f"{path} is of format {found}; expected a record of format {FORMAT}: delete it.")
    whole: dict[str, Any] = record
    return whole
