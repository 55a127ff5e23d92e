from collections.abc import Generator, Sequence
from typing import cast

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from glojax.evaluation import PopulationTrainer
from glojax.expressions import LossTree
from glojax.losses import find_tree
from glojax.search import comparison
from glojax.search.comparison import Accuracies, Comparison, compare
from glojax.training import TrainingConfig, TrainResult

CONFIG = TrainingConfig(num_steps=3, batch_size=64, learning_rate=0.5, splits=("validation", "test"))


def test_accuracies_have_mean_and_sample_deviation() -> None:
    assert Accuracies.of(np.array([0.5, 0.6, 0.7])) == Accuracies(0.6, 0.1, [0.5, 0.6, 0.7])


def test_a_single_accuracy_has_no_deviation() -> None:
    assert Accuracies.of(np.array([0.5])) == Accuracies(0.5, None, [0.5])


def test_accuracies_are_rounded_to_six_decimals() -> None:
    assert Accuracies.of(np.array([0.9, 1 / 3], np.float32)).values == [0.9, 0.333333]


class Trainings:
    """Takes the place of a trainer: each training ends as asked for."""

    def __init__(self, validation: np.ndarray, test: np.ndarray, finite: np.ndarray):
        self._outcome = validation, test, finite
        self.config = CONFIG
        self.seeds: list[int] = []
        self.learning_rates: list[float] = []

    def train(
        self, trees: Sequence[LossTree], seeds: Sequence[int], learning_rates: Sequence[float]
    ) -> Generator[tuple[int, TrainResult]]:
        self.seeds, self.learning_rates = list(seeds), list(learning_rates)
        for place in range(len(trees) * len(seeds)):
            validation, test, finite = (jnp.asarray(array[place]) for array in self._outcome)
            yield place, TrainResult({"validation": validation, "test": test}, finite, jnp.array(3))


def compared(
    names: list[str],
    validation: list[list[float]],
    test: list[list[float]] | None = None,
    finite: list[list[bool]] | None = None,
    learning_rates: list[float] | None = None,
) -> tuple[Comparison, Trainings]:
    """The comparison that comes of such trainings, [losses and learning rates][seeds]; `test` is as `validation`."""
    outcome = (np.array(validation), np.array(test or validation), np.array(finite or np.isfinite(validation)))
    trainings = Trainings(*(array.reshape(-1) for array in outcome))
    losses = {name: find_tree(name.removesuffix(comparison.BEST_RATE)) for name in names}
    seeds = range(7, 7 + len(validation[0]))
    trainer = cast(PopulationTrainer, trainings)
    return compare(losses, trainer, seeds, learning_rates=learning_rates), trainings


def test_each_loss_is_trained_with_each_seed() -> None:
    result, trainings = compared(
        ["baikal", "x * y"],
        validation=[[0.5, 0.75], [0.25, 0.0]],
        test=[[0.125, 0.375], [0.625, 0.0]],
        finite=[[True, True], [True, False]],
    )
    assert trainings.seeds == [7, 8]
    first, second = result.losses
    assert (first.name, first.expression, first.non_finite) == ("baikal", "log(y) - x / y", 0)
    assert (first.validation_accuracy.values, first.test_accuracy.values) == ([0.5, 0.75], [0.125, 0.375])
    assert (second.name, second.expression, second.non_finite) == ("x * y", "x * y", 1)
    assert (second.validation_accuracy.values, second.test_accuracy.values) == ([0.25, 0.0], [0.625, 0.0])


@pytest.mark.parametrize("name", ["cross_entropy_best_rate", "baikal_best_rate"])
def test_the_best_rate_is_that_of_the_highest_mean_validation_accuracy(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    validation = [[0.2, 0.2], [0.1, 0.1], [0.3, 0.3], [0.9, 0.1], [0.6, 0.5], [0.0, 0.0]]
    test = [[0.2, 0.3], [0.9, 0.9], [0.9, 0.9], [0.9, 0.9], [0.4, 0.6], [0.9, 0.9]]
    result, trainings = compared(["baikal", name], validation, test)
    assert trainings.learning_rates == pytest.approx([0.5, 0.15, 0.5, 1.5, 5.0, 15.0])
    assert [loss.learning_rate for loss in result.losses] == [0.5, 5.0]
    assert result.losses[1].test_accuracy.values == [0.4, 0.6]


def test_p_values_are_welchs_in_either_order() -> None:
    test = [[0.90, 0.92, 0.91], [0.80, 0.95, 0.85], [0.5, 0.6, 0.7]]
    result, _ = compared(["baikal", "x * y", "x / y"], test)
    expected = stats.ttest_ind(test[0], test[2], equal_var=False).pvalue
    assert result.p_value("baikal", "x / y") == result.p_value("x / y", "baikal") == pytest.approx(expected)
    assert len(result.welch) == 3


def test_a_single_seed_has_no_p_value() -> None:
    result, _ = compared(["baikal", "x * y"], [[0.5], [0.75]])
    assert result.p_value("baikal", "x * y") is None


def test_constant_accuracies_have_no_p_value() -> None:
    result, _ = compared(["baikal", "x * y"], [[0.5, 0.5], [0.75, 0.75]])
    assert result.p_value("baikal", "x * y") is None


def test_constant_accuracies_of_one_loss_are_tested_without_a_warning() -> None:
    test = [[0.9, 0.9, 0.9], [0.7, 0.8, 0.75]]
    result, _ = compared(["baikal", "x * y"], test)
    difference, error = 0.15, 0.05 / np.sqrt(3)
    assert result.p_value("baikal", "x * y") == pytest.approx(2 * stats.t.sf(difference / error, 2))


def test_with_learning_rates_each_loss_is_taken_at_its_own_best() -> None:
    result, trainings = compared(
        ["baikal", "cross_entropy"],
        validation=[[0.5, 0.75], [0.25, 0.25], [0.125, 0.25], [0.5, 0.25]],
        finite=[[True, True], [True, False], [True, True], [True, True]],
        learning_rates=[0.01, 0.1],
    )
    assert trainings.learning_rates == [0.01, 0.1] * 2
    baikal, cross_entropy = result.losses
    assert (baikal.learning_rate, cross_entropy.learning_rate) == (0.01, 0.1)
    assert baikal.tried == [comparison.RateTrial(0.01, 0.625, 0), comparison.RateTrial(0.1, 0.25, 1)]
    assert [trial.mean_validation_accuracy for trial in cross_entropy.tried] == [0.1875, 0.375]
