from itertools import count

import numpy as np
import pytest
from scipy import stats

from glojax.errors import ConfigurationError
from glojax.evaluation import Trial
from glojax.expressions import LossTree
from glojax.losses import find_tree
from glojax.search import comparison
from glojax.search.comparison import Comparison, Scores, compare
from glojax.training import TrainingConfig
from tests.search.fakes import FakeEvaluator

CONFIG = TrainingConfig(num_steps=3, batch_size=64, learning_rate=0.5)


def test_accuracies_have_mean_and_sample_deviation() -> None:
    assert Scores.of([0.5, 0.6, 0.7]) == Scores(0.6, 0.1, [0.5, 0.6, 0.7])


def test_a_single_accuracy_has_no_deviation() -> None:
    assert Scores.of([0.5]) == Scores(0.5, None, [0.5])


def compared(
    names: list[str],
    validation: list[list[float]],
    test: list[list[float]] | None = None,
    finite: list[list[bool]] | None = None,
    learning_rates: list[float] | None = None,
) -> tuple[Comparison, FakeEvaluator]:
    """Return the comparison of such trainings, [losses and learning rates][seeds]; `test` is as `validation`."""
    outcome = [
        np.array(rows).reshape(-1) for rows in (validation, test or validation, finite or np.isfinite(validation))
    ]
    index = count()

    def trial(tree: LossTree, rate: float, seed: int) -> Trial:
        scores = [array[next_index] for next_index in [next(index)] for array in outcome]
        return Trial(rate, seed, {"validation": float(scores[0]), "test": float(scores[1])}, bool(scores[2]), 3)

    losses = {name: find_tree(name.removesuffix(comparison.BEST_RATE)) for name in names}
    seeds = range(7, 7 + len(validation[0]))
    order = [str(tree) for tree in losses.values()]
    evaluator = FakeEvaluator(trial=trial, next_done=lambda texts: min(texts, key=order.index))
    evaluator.config = CONFIG
    return compare(losses, evaluator, seeds, learning_rates=learning_rates), evaluator


def rates_of(evaluator: FakeEvaluator) -> list[float]:
    """Return the learning rates of all losses, in order."""
    each = [(rule, trees) for rule, trees in zip(evaluator.rules, evaluator.trees, strict=True)]
    return [rate for rule, trees in each for _ in trees for rate in (rule.learning_rates if rule else None) or ()]


def test_each_loss_is_trained_with_each_seed() -> None:
    result, evaluator = compared(
        ["baikal", "x * y"],
        validation=[[0.5, 0.75], [0.25, 0.0]],
        test=[[0.125, 0.375], [0.625, 0.0]],
        finite=[[True, True], [True, False]],
    )
    assert [(rule.seeds, rule.splits) for rule in evaluator.rules if rule] == [((7, 8), ("validation", "test"))]
    first, second = result.losses
    assert (first.name, first.expression, first.non_finite) == ("baikal", "log(y) - x / y", 0)
    assert (first.validation.values, first.test.values) == ([0.5, 0.75], [0.125, 0.375])
    assert (second.name, second.expression, second.non_finite) == ("x * y", "x * y", 1)
    assert (second.validation.values, second.test.values) == ([0.25, 0.0], [0.625, 0.0])


@pytest.mark.parametrize("name", ["cross_entropy_best_rate", "baikal_best_rate"])
def test_the_best_rate_is_that_of_the_highest_mean_validation(
    name: str,
) -> None:
    validation = [[0.2, 0.2], [0.1, 0.1], [0.3, 0.3], [0.9, 0.1], [0.6, 0.5], [0.0, 0.0]]
    test = [[0.2, 0.3], [0.9, 0.9], [0.9, 0.9], [0.9, 0.9], [0.4, 0.6], [0.9, 0.9]]
    result, evaluator = compared(["baikal", name], validation, test)
    assert rates_of(evaluator) == pytest.approx([0.5, 0.15, 0.5, 1.5, 5.0, 15.0])
    assert [loss.learning_rate for loss in result.losses] == [0.5, 5.0]
    assert result.losses[1].test.values == [0.4, 0.6]


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
    result, evaluator = compared(
        ["baikal", "cross_entropy"],
        validation=[[0.5, 0.75], [0.25, 0.25], [0.125, 0.25], [0.5, 0.25]],
        finite=[[True, True], [True, False], [True, True], [True, True]],
        learning_rates=[0.01, 0.1],
    )
    assert rates_of(evaluator) == [0.01, 0.1] * 2
    baikal, cross_entropy = result.losses
    assert (baikal.learning_rate, cross_entropy.learning_rate) == (0.01, 0.1)
    assert baikal.tried == [comparison.RateTrial(0.01, 0.625, 0), comparison.RateTrial(0.1, 0.25, 1)]
    assert [trial.mean_validation for trial in cross_entropy.tried] == [0.1875, 0.375]


def test_a_loss_without_both_variables_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"log\(y\) lacks x or y, and cannot be compared; leave it out"):
        compared(["log(y)"], [[0.5]])


def test_a_loss_of_which_no_training_ends_has_accuracy_0() -> None:
    result, _ = compared(["baikal"], [[0.0, 0.0]], finite=[[False, False]])
    assert (result.losses[0].validation.mean, result.losses[0].non_finite) == (0.0, 2)
