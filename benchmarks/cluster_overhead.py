"""What a generation costs on workers, against the same one on the devices of one process.

    python -m benchmarks.cluster_overhead

Both train the same candidates, on as many devices: one process with a device for each core, and a worker for each core
with one device. With every turn the seed is another, as nobody trains what is known.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Annotated

import tyro

from benchmarks.contestant import Contestant, Work
from benchmarks.machine import num_cores
from benchmarks.measurement import Entry, Turns, measure, save
from benchmarks.workloads import CAPACITY, WORKLOADS, loss_trees
from glojax.datasets import DatasetSource
from glojax.evaluation import PopulationTrainer, Trainer
from glojax.evaluation.cluster import ClusterTrainer
from glojax.evaluation.cluster_settings import LocalSettings
from glojax.evaluation.launch import open_fleet
from glojax.training import TrainingConfig

#: What the contestant has opened stays open until its process ends.
_open = contextlib.ExitStack()


@dataclass(frozen=True)
class Options:
    """What is measured. The default takes about five minutes on two cores."""

    population: int = 80
    steps: int = 200
    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Turns(rounds=3, case_seconds=300.0, turn_seconds=300.0, first_turn_seconds=300.0)
    )


def make(on_cluster: bool, population: int, steps: int) -> Contestant:
    """One generation of digits, here or on workers."""
    config = replace(WORKLOADS["digits"].config, num_steps=steps)
    trainer = _open.enter_context(_cluster_trainer(config)) if on_cluster else _local_trainer(config)
    trees = loss_trees(population)
    seeds = count()

    def turn() -> Work:
        results = list(trainer.train(trees, [next(seeds)]))
        return Work(len(results))

    return Contestant(turn)


def _local_trainer(config: TrainingConfig) -> Trainer:
    return PopulationTrainer(WORKLOADS["digits"].network, DatasetSource("digits").load(), config, capacity=CAPACITY)


@contextlib.contextmanager
def _cluster_trainer(config: TrainingConfig) -> Iterator[Trainer]:
    source = DatasetSource("digits")
    with open_fleet(f"local:{num_cores()}", LocalSettings()) as fleet:
        fleet.wait_for_workers(num_cores())
        yield ClusterTrainer(
            WORKLOADS["digits"].network, source.load(), config, source=source, fleet=fleet, capacity=CAPACITY
        )


def main(options: Options) -> None:
    """Measure, print and write `results/cluster_overhead.json`."""
    entries = [
        Entry(
            name,
            {"population": options.population},
            "benchmarks.cluster_overhead:make",
            {"on_cluster": name == "workers", "population": options.population, "steps": options.steps},
            details={"steps": options.steps},
        )
        for name in ("one process", "workers")
    ]
    save(
        measure(
            "cluster_overhead",
            [entries],
            unit="milliseconds a candidate",
            unit_seconds=1e-3,
            configuration={"population": options.population, "steps": options.steps, "devices": num_cores()},
            turns=options.turns,
        )
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
