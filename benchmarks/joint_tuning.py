"""The price of tuning several losses together, against as many trainings in populations of one loss.

    python -m benchmarks.joint_tuning

Three losses with 6, 9 and 10 coefficients are tuned on digits for three generations. Step size and learning rate are
low, so that no training ends early.

    together    `tune`: a generation is one population of the members of all three losses
    apart       the same numbers of trainings, but a generation is of one loss, each in its turn; nothing is tuned
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated

import tyro
from glojax.strategies.coefficients import CoefficientLayout, TuningConfig, default_population_size

from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, measure, save
from glojax.datasets import load_dataset
from glojax.evaluation import Candidates, DevicePool, Evaluation, FitnessCache, LocalEvaluator
from glojax.expressions import LossTree
from glojax.networks import DigitsCNN
from glojax.search.tuning import tune
from glojax.training import TrainingConfig, make_train

LOSSES = tuple(map(LossTree.parse, ("log(y) - x / y", "x - (x * (log(y) - x))^2", "log(y) * (x * log(y)^2 + 1)")))
MEMBERS = sum(default_population_size(len(CoefficientLayout.of(loss).places)) for loss in LOSSES)
TUNING = TuningConfig(generations=len(LOSSES), sigma=0.05)
CAPACITY = 64


@dataclass(frozen=True)
class Options:
    """What is measured. The default takes about three minutes on two cores."""

    steps: int = 200
    """Steps of a training."""

    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Turns(case_seconds=300.0, turn_seconds=120.0)
    )


def make(way: str, steps: int) -> Contestant:
    """One of the ways, on all devices."""
    return WAYS[way](steps)


def together(steps: int) -> Contestant:
    """Tuning as it is, with other members in every turn."""
    evaluator = LocalEvaluator(DigitsCNN, load_dataset("digits"), _training(steps), capacity=CAPACITY)
    seeds = count()

    def turn() -> Work:
        taken: list[int] = []

        def on_evaluation(evaluation: Evaluation, _: int) -> None:
            taken.append(evaluation.steps)

        # Or the losses themselves, which tuning trains first, would be known from the turn before.
        evaluator.cache = FitnessCache()
        tune(LOSSES, evaluator, TUNING, next(seeds), on_evaluation=on_evaluation)
        return _work(sum(taken), steps)

    return Contestant(turn)


def apart(steps: int) -> Contestant:
    """The trainings alone: first of each loss once, then generations of one loss."""
    pool = DevicePool(make_train(DigitsCNN, load_dataset("digits"), _training(steps)))
    populations = [list(LOSSES), *([loss] * MEMBERS for loss in LOSSES)]
    candidates = [Candidates.over_seeds(trees, [0], CAPACITY) for trees in populations]
    return Contestant(lambda: _work(sum(int(pool.run_all(each).num_steps.sum()) for each in candidates), steps))


WAYS: dict[str, Callable[[int], Contestant]] = {"together": together, "apart": apart}


def _training(steps: int) -> TrainingConfig:
    return TrainingConfig(steps, batch_size=64, learning_rate=0.01)


def _work(taken: int, steps: int) -> Work:
    """All candidate-steps, or none missing."""
    expected = (1 + MEMBERS) * len(LOSSES) * steps
    if taken != expected:
        raise RuntimeError(f"{taken} candidate-steps were taken, not {expected}")
    return Work(taken)


def main(options: Options) -> None:
    """Measure, print and write `results/joint_tuning.json`."""
    entries = [
        Entry(
            way,
            {"losses": len(LOSSES), "members": MEMBERS},
            "benchmarks.joint_tuning:make",
            {"way": way, "steps": options.steps},
            details={"steps": options.steps},
        )
        for way in WAYS
    ]
    save(
        measure(
            "joint_tuning",
            [entries],
            unit="milliseconds a candidate-step",
            unit_seconds=1e-3,
            configuration={"losses": list(map(str, LOSSES)), "generations": TUNING.generations, "steps": options.steps},
            turns=options.turns,
        )
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
