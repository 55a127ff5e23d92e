import shlex
from dataclasses import replace

import pytest
import tyro

from experiments import train
from experiments.trainings import LOSSES, Training, without_covered
from glojax.errors import ConfigurationError

SHORT = Training(loss="baikal", steps=10, learning_rate=0.05, dataset="digits")


@pytest.mark.parametrize(
    "training",
    [
        SHORT,
        replace(SHORT, loss="-log(y) * x", class_reduction="mean", seed=3, test_split="held-out"),
        replace(SHORT, loss="x * log(y)", train_fraction=0.05, learning_rate=3e-5, evaluate_every=2, histogram_at=7),
    ],
)
def test_the_command_says_the_whole_training(training: Training) -> None:
    python, option, module, *arguments = shlex.split(training.command)
    assert (python, option, module) == ("python", "-m", "experiments.train")
    assert tyro.cli(train.Options, args=arguments).training == training


def test_different_trainings_have_different_names() -> None:
    others = [
        replace(SHORT, loss="cross_entropy"),
        replace(SHORT, loss="x * log(y)"),
        replace(SHORT, loss="x / y"),
        replace(SHORT, learning_rate=0.02),
        replace(SHORT, steps=11),
        replace(SHORT, seed=1),
        replace(SHORT, train_fraction=0.5),
        replace(SHORT, class_reduction="mean"),
        replace(SHORT, test_split="held-out"),
        replace(SHORT, evaluate_every=5),
        replace(SHORT, histogram_at=5),
    ]
    assert len({training.name for training in [SHORT, *others]}) == 1 + len(others)


def test_the_accuracy_is_always_measured_in_the_end() -> None:
    assert replace(SHORT, evaluate_every=4).evaluated_steps == [4, 8, 10]
    assert replace(SHORT, evaluate_every=4, histogram_at=9).stops == [4, 8, 9, 10]
    assert SHORT.evaluated_steps == [10]


def test_a_longer_curve_covers_what_it_passes_through() -> None:
    curve = replace(SHORT, steps=20, evaluate_every=5, histogram_at=15)
    assert curve.covers(SHORT)
    assert curve.covers(replace(SHORT, evaluate_every=5))
    assert not SHORT.covers(curve)
    assert not curve.covers(replace(SHORT, evaluate_every=2))
    assert not curve.covers(replace(SHORT, histogram_at=5))
    assert not curve.covers(replace(SHORT, seed=1))


def test_trainings_that_others_cover_are_left_out() -> None:
    curve, other = replace(SHORT, steps=20, evaluate_every=5), replace(SHORT, seed=1)
    assert without_covered([SHORT, curve, other, SHORT, other]) == [curve, other]


def test_only_trainings_that_are_measured_on_the_way_are_curves() -> None:
    assert not SHORT.is_curve
    assert not replace(SHORT, evaluate_every=SHORT.steps).is_curve
    assert replace(SHORT, evaluate_every=4).is_curve
    assert replace(SHORT, histogram_at=SHORT.steps).is_curve


def test_schedules_outside_of_the_training_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="--histogram-at is 11; expected a step from 1 to the last, 10"):
        replace(SHORT, histogram_at=11)
    with pytest.raises(ConfigurationError, match="--evaluate-every is 0"):
        replace(SHORT, evaluate_every=0)


def test_the_confidence_penalty_is_cross_entropy_minus_the_entropy_of_the_output() -> None:
    assert LOSSES["confidence_penalty"] == LOSSES["cross_entropy"].parse("x * log(y) - y * log(y)")
