"""The cost of results that survive a crash.

    python -m benchmarks.durability

    on disk      the evaluator's journal is a file: each result is appended at once, and is on the disk within a second
    in memory    the journal has no file

Both train the same population on digits with fresh seeds in each turn, on all devices of the machine.
"""

import itertools
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, measure, save
from benchmarks.workloads import loss_trees
from glojax.datasets import load_dataset
from glojax.evaluation import FitnessRule, LocalEvaluator, TrainingJournal, evaluate
from glojax.networks import DigitsCNN
from glojax.search.recipes import recipe_of


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about four minutes on two cores."""

    population: int = 80
    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Turns(rounds=11, case_seconds=200.0)
    )


def on_disk(population: int) -> Contestant:
    """Keep each result in a file."""
    folder = tempfile.mkdtemp(prefix="glojax-durability-")
    return _trained(population, TrainingJournal(Path(folder) / "trainings.jsonl"))


def in_memory(population: int) -> Contestant:
    """Keep no file."""
    return _trained(population, TrainingJournal())


def _trained(population: int, journal: TrainingJournal) -> Contestant:
    evaluator = LocalEvaluator(DigitsCNN, load_dataset("digits"), recipe_of("digits").training, journal=journal)
    trees = loss_trees(population)
    fresh = itertools.count()

    def turn() -> Work:
        return Work(len(evaluate(evaluator, trees, FitnessRule(seeds=(next(fresh),)))))

    return Contestant(turn)


def main(options: Options) -> None:
    """Measure, print, and write `results/durability.json`."""
    size = {"population": options.population}
    record = measure(
        "durability",
        [
            [
                Entry("on disk", size, "benchmarks.durability:on_disk", size),
                Entry("in memory", size, "benchmarks.durability:in_memory", size),
            ]
        ],
        unit="milliseconds a candidate",
        unit_seconds=1e-3,
        configuration={name: value for name, value in asdict(options).items() if name != "turns"},
        turns=options.turns,
    )
    save(record)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
