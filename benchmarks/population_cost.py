"""The cost of a candidate of a population, by the size of the population and the number of candidates that die.

    python -m benchmarks.population_cost
    python -m benchmarks.population_cost --networks mnist --steps 20    # also: peak memory of 80 MNIST candidates

A candidate dies when its loss is no longer finite; here, all that die do so within 20 steps. The time of a population
is shared by all its candidates, dead or alive.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import numpy as np
import tyro

from benchmarks.contestant import Contestant, Work
from benchmarks.machine import num_cores
from benchmarks.measurement import Entry, Turns, measure, save
from benchmarks.pool_training import train, trainings_of
from benchmarks.population.jax_devices import peak_bytes
from benchmarks.workloads import WORKLOADS, loss_trees, random_dataset
from glojax.evaluation import DevicePool
from glojax.expressions import LossTree

#: With these factors, y^2 drives probabilities towards 0, and log(y - 0.05) is not a number after 2 to 17 steps.
DEADLY_FACTORS = (70, 100, 150, 200, 300, 500, 1000, 3000)
DEADLY_STEPS = 20

#: Training images, as many as the data sets have.
NUM_IMAGES = {"digits": 1_077, "mnist": 55_000, "cifar": 45_000}


@dataclass(frozen=True)
class Options:
    """What is measured. The default takes about three minutes on two cores."""

    networks: tuple[Literal["digits", "mnist", "cifar"], ...] = ("digits",)
    steps: int = 500
    """Steps of a candidate. Deaths are measured with `DigitsCNN` alone."""

    small: int = 8
    large: int = 80
    dying: float = 0.6
    """Share of the large population that dies."""

    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Turns(rounds=3, case_seconds=300.0, turn_seconds=300.0, first_turn_seconds=300.0)
    )


def make(network: str, population: int, dying: float, steps: int) -> Contestant:
    """Train one population on all devices."""
    workload = WORKLOADS[network]
    config = replace(workload.config, num_steps=steps)
    pool = DevicePool(workload.network, random_dataset(workload.input_shape, NUM_IMAGES[network]))
    num_dying = round(dying * population)
    trees = spread(deadly_trees(num_dying), loss_trees(population - num_dying))
    trainings = trainings_of(pool, config, trees)

    def turn() -> Work:
        num_steps = np.array([int(result.num_steps) for result in train(pool, config, trainings)])
        num_dead = int((num_steps <= DEADLY_STEPS).sum()) if dying else int((num_steps < steps).sum())
        if num_dead != num_dying or int((num_steps == steps).sum()) != population - num_dying:
            raise RuntimeError(f"{num_dead} candidates died early, not {num_dying}")
        return Work(population)

    return Contestant(turn, peak_bytes)


def deadly_trees(count: int) -> list[LossTree]:
    """Return losses that end a training of `DigitsCNN` early."""
    factors = (DEADLY_FACTORS[index % len(DEADLY_FACTORS)] for index in range(count))
    return [LossTree.parse(f"{factor}*y^2 + x * log(y - 0.05*1)") for factor in factors]


def spread(some: list[LossTree], others: list[LossTree]) -> list[LossTree]:
    """Return all of them, both kinds spread evenly."""
    positions = [(index + 0.5) / len(trees) for trees in (some, others) for index in range(len(trees))]
    both = sorted(zip(positions, some + others, strict=True), key=lambda pair: pair[0])
    return [tree for _, tree in both]


def main(options: Options) -> None:
    """Measure, print and write `results/population_cost.json`."""
    cases = [(network, size, 0.0) for network in options.networks for size in (options.small, options.large)]
    if "digits" in options.networks:
        cases.append(("digits", options.large, options.dying))
    entries = [
        Entry(
            "glojax",
            {"network": network, "population": population, "dying": dying},
            "benchmarks.population_cost:make",
            {"network": network, "population": population, "dying": dying, "steps": options.steps},
            details={"steps": options.steps, "images": NUM_IMAGES[network]},
        )
        for network, population, dying in cases
    ]
    save(
        measure(
            "population_cost",
            [entries],
            unit="milliseconds a candidate",
            unit_seconds=1e-3,
            configuration={"networks": options.networks, "steps": options.steps, "devices": num_cores()},
            turns=options.turns,
        )
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
