"""The learning curves and the predicted classes of compared losses."""

import numpy as np
import pytest

from glojax.evaluation import Evaluation, Trial
from glojax.expressions import LossTree
from glojax.search.learning_curves import LearningCurve, evaluation_interval, learning_curve
from glojax.search.predictions import Predictions, may_count_classes, predictions
from glojax.tasks import NUM_BINS, TASKS, ClassCounts
from glojax.training import TrainingConfig

TREE = LossTree.parse("x * log(y)")


def trial(rate: float, seed: int, *curve: float | None, finite: bool = True, counted: float | None = None) -> Trial:
    """A training; `counted` is the only entry of its confusion matrix."""
    counts = None
    if counted is not None:
        counts = ClassCounts(np.full((1, 1), counted), np.full((3, NUM_BINS), 0.5))  # type: ignore[arg-type]
    return Trial(rate, seed, {"validation": 0.5, "test": 0.5}, finite, 3, curve, counts)


def evaluation(*trials: Trial) -> Evaluation:
    """An evaluation with the best rate 0.5."""
    return Evaluation(TREE, 0.5, "trained", 3, 0.5, trials)


def test_a_curve_is_the_mean_of_what_is_finite_at_the_best_rate() -> None:
    found = evaluation(
        trial(0.1, 0, 1.0, 1.0, 1.0), trial(0.5, 0, 0.25, 0.5, None), trial(0.5, 1, 0.75, None, None, finite=False)
    )
    assert learning_curve(found, (2, 4, 6)) == LearningCurve([2, 4, 6], [0.5, 0.5, None])


def test_without_measurements_there_is_no_curve() -> None:
    assert learning_curve(evaluation(trial(0.5, 0)), (2, 4)) is None


@pytest.mark.parametrize(("steps", "every", "expected"), [(200, None, 10), (7, None, 1), (205, None, 11), (200, 3, 3)])
def test_losses_are_measured_about_twenty_times_or_as_configured(steps: int, every: int | None, expected: int) -> None:
    config = TrainingConfig(steps, batch_size=8, learning_rate=0.5, evaluate_every=every)
    assert evaluation_interval(config) == expected


def test_predictions_are_those_of_the_finite_trainings_at_the_best_rate() -> None:
    found = evaluation(
        trial(0.1, 0, counted=1.0),
        trial(0.5, 0, counted=2.0, finite=False),
        trial(0.5, 1, counted=3.0),
        trial(0.5, 2, counted=4.0),
    )
    assert predictions(found) == Predictions([1, 2], [[7.0]], [[1.0] * NUM_BINS] * 3)
    assert predictions(evaluation(trial(0.5, 0))) is None


@pytest.mark.parametrize(
    ("task", "classes", "seeds", "expected"),
    [
        ("classification", 10, 10, True),
        ("segmentation", 2, 10, True),
        ("classification", 101, 1, False),
        ("classification", 100, 101, False),
        ("regression", 1, 1, False),
        ("multilabel", 4, 1, False),
    ],
)
def test_classes_are_counted_where_they_are_few(task: str, classes: int, seeds: int, expected: bool) -> None:
    assert may_count_classes(TASKS[task], classes, seeds) is expected  # type: ignore[index]


def test_the_calibration_error_weighs_the_gaps_of_the_bins() -> None:
    empty = [0.0] * (NUM_BINS - 2)
    bins = [[30.0, 10.0, *empty], [15.0, 10.0, *empty], [18.0, 9.0, *empty]]
    assert Predictions([0], [[1.0]], bins).calibration_error == pytest.approx((3 + 1) / 40)
    assert Predictions([0], [], [[0.0] * NUM_BINS] * 3).calibration_error == 0
