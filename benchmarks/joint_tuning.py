"""The cost of tuning several losses together, compared with as many trainings in populations of one loss.

    python -m benchmarks.joint_tuning

Three losses with 6, 9 and 10 coefficients are tuned on digits for three generations. Step size and learning rate are
low, so that no training ends early.

    together    `tune`: a generation is one population of the members of all three losses
    apart       the same number of trainings, but each population is of one loss; nothing is tuned
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated

import tyro

from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, measure, save
from benchmarks.pool_training import train, trainings_of
from glojax.datasets import load_dataset
from glojax.evaluation import DevicePool, Evaluation, LocalEvaluator, evaluate
from glojax.expressions import LossTree
from glojax.networks import DigitsCNN
from glojax.search.tuning import tune
from glojax.strategies.coefficients import CoefficientLayout, TuningConfig, default_population_size
from glojax.training import TrainingConfig

LOSSES = tuple(map(LossTree.parse, ("log(y) - x / y", "x - (x * (log(y) - x))^2", "log(y) * (x * log(y)^2 + 1)")))
MEMBERS = sum(default_population_size(len(CoefficientLayout.of(loss).indices)) for loss in LOSSES)
TUNING = TuningConfig(generations=len(LOSSES), sigma=0.05)


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about three minutes on two cores."""

    steps: int = 200
    """Steps of a training."""

    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(
        default_factory=lambda: Turns(case_seconds=300.0, turn_seconds=120.0)
    )


def make(way: str, steps: int) -> Contestant:
    """Return a contestant that trains one of the ways on all devices."""
    return WAYS[way](steps)


def together(steps: int) -> Contestant:
    """Tune the losses, with other members in every turn."""
    evaluator = LocalEvaluator(DigitsCNN, load_dataset("digits"), _training(steps))
    # Tuning begins with the losses as they are, which only the first turn would train.
    evaluate(evaluator, LOSSES)
    seeds = count()

    def turn() -> Work:
        taken: list[int] = []

        def on_evaluation(evaluation: Evaluation, _: int) -> None:
            taken.append(evaluation.steps)

        tune(LOSSES, evaluator, TUNING, next(seeds), on_evaluation=on_evaluation)
        return _work(sum(taken), steps)

    return Contestant(turn)


def apart(steps: int) -> Contestant:
    """Train populations of one loss each."""
    pool, config = DevicePool(DigitsCNN, load_dataset("digits")), _training(steps)
    populations = [trainings_of(pool, config, [loss] * MEMBERS) for loss in LOSSES]

    def turn() -> Work:
        taken = [int(result.num_steps) for trainings in populations for result in train(pool, config, trainings)]
        return _work(sum(taken), steps)

    return Contestant(turn)


WAYS: dict[str, Callable[[int], Contestant]] = {"together": together, "apart": apart}


def _training(steps: int) -> TrainingConfig:
    return TrainingConfig(steps, batch_size=64, learning_rate=0.01)


def _work(taken: int, steps: int) -> Work:
    """Return the work of a turn, in which no training may end early."""
    expected = MEMBERS * TUNING.generations * steps
    if taken != expected:
        raise RuntimeError(f"{taken} candidate-steps were taken, not {expected}")
    return Work(taken)


def main(options: Options) -> None:
    """Measure, print, and write `results/joint_tuning.json`."""
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
