"""The number of workers at which the head of a cluster becomes the limit: a simulation of 1 to 1,000 workers.

    python -m benchmarks.cluster_simulation

`ClusterPool`'s own function chooses the sizes of shards. A worker is idle from the end of a shard until the head has
received its result and sent the next one; the head serves one worker at a time. Its time for a shard is measured first:
two workers on this machine send back texts of a real shard's length, which takes longer than the head alone.
`python -m benchmarks.population_training` measures the time of a training.
"""

import heapq
import random
import statistics
import time
from dataclasses import asdict, dataclass
from typing import NamedTuple

import tyro

from benchmarks.measurement import complete_record, save
from benchmarks.record import Case, Samples
from benchmarks.workloads import loss_trees
from glojax.cluster.launch import open_workers
from glojax.cluster.settings import LocalSettings
from glojax.cluster.shard_size import shard_size


class Simulated(NamedTuple):
    """A generation: its duration, the share that workers train, the largest idle share, and the head's busy share."""

    workers: int
    trainings: int
    seconds: float
    efficiency: float
    largest_idle: float
    head_busy: float


def simulate(
    workers: int,
    trainings: int,
    training_seconds: float,
    message_seconds: float,
    dead: float,
    spread: float,
    shard_seconds: float,
    seed: int,
) -> Simulated:
    """Simulate one generation on workers of known speeds.

    Args:
        workers: Number of workers, with one device each.
        trainings: Number of trainings.
        training_seconds: Duration of a complete training on a worker of speed 1.
        message_seconds: Time of the head for a shard: it receives results, and sends the next shard.
        dead: Share of trainings that end at once.
        spread: Speeds are drawn uniformly from 1 - spread to 1 + spread.
        shard_seconds: Expected duration of the largest shard.
        seed: Seed of the random draws.
    """
    draw = random.Random(seed)
    speeds = [draw.uniform(1 - spread, 1 + spread) for _ in range(workers)]
    costs = [0.01 * training_seconds if draw.random() < dead else training_seconds for _ in range(trainings)]
    mean = sum(costs) / len(costs)
    paces = [speed / mean for speed in speeds]
    busy, ends = [0.0] * workers, [0.0] * workers
    waiting = [(0.0, worker) for worker in range(workers)]
    head_free = head_busy = 0.0
    while costs:
        asked, worker = heapq.heappop(waiting)
        head_free = max(head_free, asked) + message_seconds
        head_busy += message_seconds
        size = shard_size(len(costs), 1, paces[worker], sum(paces), shard_seconds)
        work = sum(costs.pop() for _ in range(size)) / speeds[worker]
        busy[worker] += work
        ends[worker] = head_free + work
        heapq.heappush(waiting, (ends[worker], worker))
    seconds = max(ends)
    efficiency = sum(busy) / seconds / workers
    largest_idle = 1 - min(busy) / seconds
    return Simulated(workers, trainings, seconds, efficiency, largest_idle, head_busy / seconds)


def measured_message_seconds(num_shards: int = 400, shard: int = 8) -> float:
    """Measure the wall time of a shard for which a worker has nothing to do."""
    # About as long as the description of the network, the data set and the configuration of a real shard.
    text = 1000 * "x" + "".join(f"{tree}, 0, 0.01" for tree in loss_trees(shard))
    with open_workers("local:2", LocalSettings()) as workers:
        workers.wait_for_workers(2)
        begin, left, done = time.perf_counter(), num_shards, 0
        while done < num_shards:
            for worker in workers.workers:
                if worker.is_idle and left:
                    workers.assign(worker, 60.0, str.strip, text)
                    left -= 1
            done += len(workers.wait())
        return (time.perf_counter() - begin) / num_shards


@dataclass(frozen=True)
class Options:
    """Options of the simulation."""

    training_seconds: float = 64.0
    """Duration of a complete training; 64 is that of MNIST with 1,000 steps on one core."""

    message_seconds: float | None = None
    """Time of the head for a shard; measured by default."""

    candidates_per_worker: int = 20
    """Trainings of a generation for each worker."""

    dead: float = 0.3
    """Share of trainings that end at once."""

    spread: float = 0.2
    """Half width of the range of speeds around 1."""

    shard_seconds: float = 10.0
    """Expected duration of the largest shard."""

    seeds: int = 5
    """Generations simulated for each number of workers."""


def main(options: Options) -> None:
    """Simulate, print, and write `results/cluster_simulation.json`."""
    message_seconds = options.message_seconds or measured_message_seconds()
    cases: list[Case] = []
    for workers in (1, 2, 4, 8, 16, 32, 64, 100, 200, 500, 1000):
        done = [
            simulate(
                workers,
                workers * options.candidates_per_worker,
                options.training_seconds,
                message_seconds,
                options.dead,
                options.spread,
                options.shard_seconds,
                seed,
            )
            for seed in range(options.seeds)
        ]
        idle = {
            "all workers": [1 - run.efficiency for run in done],
            "idlest worker": [run.largest_idle for run in done],
        }
        busy = {"head_busy": statistics.median(run.head_busy for run in done)}
        cases += [
            Case(name, {"workers": workers}, Samples(tuple(100 * max(share, 0.0) for share in shares)), details=busy)
            for name, shares in idle.items()
        ]
    configuration = asdict(options) | {"message_seconds": message_seconds}
    save(complete_record("cluster_simulation", cases, "idle, % of a generation", configuration))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
