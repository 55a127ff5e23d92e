"""Where the head of a cluster becomes the limit: a simulation of 1 to 1,000 workers.

    python -m benchmarks.cluster_simulation

The sizes of shards come from the function that the trainer uses. A worker is idle from the end of a shard until the
head has taken its result in and sent it the next one; the head does that for one worker at a time. How long it takes is
measured first: the time for a text as long as that of a real shard, to two workers of this machine that send it back,
which is more than the head's own share of it. How long a training takes says
`python -m benchmarks.population_training`.
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
from benchmarks.workloads import CAPACITY, WORKLOADS, loss_trees
from glojax.datasets import DatasetSource
from glojax.evaluation.cluster_settings import LocalSettings
from glojax.evaluation.journal import Training
from glojax.evaluation.launch import open_fleet
from glojax.evaluation.shard_size import shard_size
from glojax.evaluation.shards import shard_text, work_order


class Simulated(NamedTuple):
    """A generation: its seconds, the share of them that workers train, and the largest share that one is idle."""

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
    """One generation on workers whose speeds are known.

    Args:
        workers: One device each.
        trainings: Candidates of the generation that have to be trained.
        training_seconds: Of a training that goes to its end, on a worker of speed 1.
        message_seconds: That the head takes for a shard: results in, the next one out.
        dead: Share of trainings that end at once.
        spread: Speeds are drawn uniformly from 1 - spread to 1 + spread.
        shard_seconds: Work of the largest shard.
        seed: Of what is drawn.
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
    """Wall time for each of so many shards, for which workers do nothing."""
    source, workload = DatasetSource("digits"), WORKLOADS["digits"]
    order = work_order(workload.network, source, source.load(), workload.config, CAPACITY, None)
    trainings = [Training("context", str(tree), 0, 0.01) for tree in loss_trees(shard)]
    text = "".join(shard_text(order, "canonical", trainings))
    with open_fleet("local:2", LocalSettings()) as fleet:
        fleet.wait_for_workers(2)
        begin, left, done = time.perf_counter(), num_shards, 0
        while done < num_shards:
            for member in fleet.members:
                if member.is_idle and left:
                    fleet.assign(member, 60.0, str.strip, text)
                    left -= 1
            done += len(fleet.wait())
        return (time.perf_counter() - begin) / num_shards


@dataclass(frozen=True)
class Options:
    """What is simulated."""

    training_seconds: float = 64.0
    """Of a training that goes to its end; 64 is MNIST's with 1,000 steps on a core."""

    message_seconds: float | None = None
    """That the head takes for a shard; by default it is measured."""

    candidates_per_worker: int = 20
    """Size of the generation."""

    dead: float = 0.3
    """Share of trainings that end at once."""

    spread: float = 0.2
    """Of the workers' speeds around 1."""

    shard_seconds: float = 10.0
    """Work of the largest shard."""

    seeds: int = 5
    """Generations simulated with each number of workers."""


def main(options: Options) -> None:
    """Simulate, print and write `results/cluster_simulation.json`."""
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
            "all workers": [1 - one.efficiency for one in done],
            "idlest worker": [one.largest_idle for one in done],
        }
        busy = {"head_busy": statistics.median(one.head_busy for one in done)}
        cases += [
            Case(who, {"workers": workers}, Samples(tuple(100 * max(share, 0.0) for share in shares)), details=busy)
            for who, shares in idle.items()
        ]
    configuration = asdict(options) | {"message_seconds": message_seconds}
    save(complete_record("cluster_simulation", cases, "idle, % of a generation", configuration))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
