"""The tasks on which losses are searched and compared: data, network and optimizer, as options of the command line."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from glojax.datasets import Dataset
from glojax.evaluation import FITNESS_SPLIT, DevicePool, PoolEvaluator, Rule, TrainingJournal, training_devices
from glojax.search.__main__ import with_defaults, with_optimizer_arguments
from glojax.search.named_network import find_network
from glojax.search.options import RunOptions
from glojax.search.recipes import fitting_network
from glojax.training import TrainResult


@dataclass(frozen=True)
class OpenTask:
    """The data of a task, and the devices that train on it.

    Attributes:
        options: Those of a search on it.
        journal: Keeps every training, so that a stopped experiment repeats none.
    """

    options: RunOptions
    dataset: Dataset
    pool: DevicePool
    journal: TrainingJournal

    def evaluator(
        self,
        rule: Rule | None = None,
        on_training: Callable[[TrainResult], None] = lambda result: None,
        **changes: Any,
    ) -> PoolEvaluator:
        """Return an evaluator by a rule, with changes to the configuration of a training."""
        training = replace(self.options.training, **{"splits": (FITNESS_SPLIT,)} | changes)
        return PoolEvaluator(self.pool, training, rule, journal=self.journal, on_training=on_training)


def folder_for(arguments: tuple[str, ...], data_dir: Path | None) -> Path | None:
    """Return the folder of a data set's files, or None for a task whose data are built in."""
    return data_dir if {"mnist", "cifar10"} & set(arguments) else None


def open_task(
    arguments: tuple[str, ...], seed: int, data_dir: Path | None, devices: int | None, journal: Path
) -> OpenTask:
    """Load the data of a task.

    Args:
        arguments: Options of `python -m glojax.search` that describe it.
        seed: Seed of a search, which also draws wrong labels and rare classes.
        data_dir: Folder with the data set's files; None for the cache.
        devices: Number of devices that train; None for all.
        journal: File for the trainings.
    """
    given = [*arguments, "--seed", str(seed)]
    options = tyro.cli(with_defaults(RunOptions, given), args=with_optimizer_arguments(given))
    options = replace(options, data_dir=data_dir)
    dataset = options.dataset_source.load()
    pool = DevicePool(
        find_network(options.network or fitting_network(dataset)), dataset, devices=training_devices(devices)
    )
    journal.parent.mkdir(parents=True, exist_ok=True)
    return OpenTask(options, dataset, pool, TrainingJournal(journal))
