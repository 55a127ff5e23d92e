"""The cost of a generation on workers, compared with the devices of one process.

    python -m benchmarks.cluster_overhead

Both train the same candidates on the same number of devices: one process with a device for each core, and one worker
with one device for each core. Each turn has another seed.
"""

import contextlib
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Annotated

import tyro

from benchmarks.contestant import Contestant, Work
from benchmarks.machine import num_cores
from benchmarks.measurement import Entry, Turns, measure, save
from benchmarks.pool_training import train, trainings_of
from benchmarks.workloads import WORKLOADS, loss_trees
from glojax.cluster.cluster_pool import ClusterPool
from glojax.cluster.launch import open_workers
from glojax.cluster.settings import LocalSettings
from glojax.datasets import DatasetSource
from glojax.evaluation import DevicePool, TrainingPool

#: Keeps the workers until the process of the contestant ends.
_open = contextlib.ExitStack()


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about five minutes on two cores."""

    population: int = 80
    steps: int = 200
    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Turns(rounds=3, case_seconds=300.0, turn_seconds=300.0, first_turn_seconds=300.0)
    )


def make(on_cluster: bool, population: int, steps: int) -> Contestant:
    """Return one generation of digits, in this process or on workers."""
    network, config = WORKLOADS["digits"].network, replace(WORKLOADS["digits"].config, num_steps=steps)
    source = DatasetSource("digits")
    dataset = source.load()
    pool: TrainingPool
    if on_cluster:
        workers = _open.enter_context(open_workers(f"local:{num_cores()}", LocalSettings()))
        workers.wait_for_workers(num_cores())
        pool = ClusterPool(network, source, dataset, workers)
    else:
        pool = DevicePool(network, dataset)
    trainings = trainings_of(pool, config, loss_trees(population))
    seeds = count()

    def turn() -> Work:
        seed = next(seeds)
        return Work(len(train(pool, config, [training._replace(seed=seed) for training in trainings])))

    return Contestant(turn)


def main(options: Options) -> None:
    """Measure, print, and write `results/cluster_overhead.json`."""
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
