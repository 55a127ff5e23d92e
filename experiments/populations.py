"""Populations of curves: the trainings that a device does side by side.

On a CPU a population is one training. On an accelerator it is as many as keep the device busy, of one network, data
set, configuration and schedule; each of them has its own loss, seed and learning rate.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import jax

from experiments.trainings import Training
from glojax.datasets import Dataset
from glojax.evaluation.chunk_size import ChunkSize, wanted_size
from glojax.evaluation.lowering_choice import chosen_lowering
from glojax.networks import NETWORKS
from glojax.training import Train, TrainingConfig, make_train, step_flops
from glojax.training.config import MAX_COUNT


@dataclass(frozen=True, eq=False)
class Population:
    """Trainings that differ in loss, seed and learning rate alone, and are measured after the same steps.

    Attributes:
        trainings: The trainings, at most `chunk_size.size` of them at first.
        dataset: Their data set.
        train: What trains each of them.
        chunk_size: The number of them that a device trains at once.
    """

    trainings: list[Training]
    dataset: Dataset
    train: Train
    chunk_size: ChunkSize


def populations_of(trainings: Mapping[Training, Dataset], devices: Sequence[jax.Device]) -> list[Population]:
    """Divide trainings into populations, in the order of their first trainings.

    The populations of one kind have equal sizes, up to the last one, and are at least as many as the devices where
    there are enough trainings.
    """
    alike: dict[Hashable, list[Training]] = {}
    for training, dataset in trainings.items():
        schedule = training.steps, training.evaluate_every, training.histogram_at
        kind = training.network, dataset.fingerprint, _shared_config(training), schedule
        alike.setdefault(kind, []).append(training)
    populations = []
    for group in alike.values():
        dataset = trainings[group[0]]
        with jax.default_device(devices[0]):
            train = make_train(NETWORKS[group[0].network], dataset, _shared_config(group[0]))
            train = replace(train, conv_lowering=chosen_lowering(train, devices[0]))
            most = min(size_on(devices[0], train), math.ceil(len(group) / len(devices)))
        size = math.ceil(len(group) / math.ceil(len(group) / most))
        chunk_size = ChunkSize(train, devices[0], given=size)
        populations += [
            Population(group[start : start + size], dataset, train, chunk_size) for start in range(0, len(group), size)
        ]
    order = {training: index for index, training in enumerate(trainings)}
    return sorted(populations, key=lambda population: order[population.trainings[0]])


def size_on(device: jax.Device, train: Train) -> int:
    """Return the number of trainings that keep a device busy."""
    return 1 if device.platform == "cpu" else wanted_size(step_flops(train))


def _shared_config(training: Training) -> TrainingConfig:
    """Return the configuration without what each training is driven with and would otherwise be compiled in."""
    return replace(training.config, learning_rate=1.0, num_steps=MAX_COUNT)
