"""Invented records of trainings."""

from collections.abc import Sequence

from experiments.records import Records, training_record
from experiments.trainings import Training
from glojax.datasets import load_dataset


def add(
    records: Records,
    training: Training,
    test: Sequence[float],
    validation: Sequence[float] | None = None,
    finite: bool = True,
) -> None:
    """Add a record with these accuracies after the steps at which the training is measured."""
    outcome = {
        "steps": training.evaluated_steps,
        "validation": list(validation or test),
        "test": list(test),
        "finite": finite,
        "num_steps": training.steps,
        "histogram": {"step": training.histogram_at, "counts": [1] * 100} if training.histogram_at else None,
    }
    assert len(test) == len(training.evaluated_steps)
    records.write_training(training, training_record(training, load_dataset("digits"), outcome, seconds=1.0))
