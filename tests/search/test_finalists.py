from collections.abc import Callable, Sequence

import numpy as np
import pytest
from glojax.search.discovery import Discovered

from glojax.errors import GlojaxError
from glojax.evaluation import Evaluation, Status
from glojax.expressions import LossTree, canonical
from glojax.search.finalists import Finalist, choose, select_discovered, select_tuned
from glojax.search.tuning import Tuned
from tests.search.fakes import STEPS, FakeEvaluator, fitness_of


class Confirmer(FakeEvaluator):
    """Gives fixed accuracies [losses, seeds]."""

    def __init__(self, accuracies: list[list[float]]):
        super().__init__()
        self._accuracies = np.array(accuracies, np.float32)

    def confirm(
        self, trees: Sequence[LossTree], seeds: Sequence[int], on_training: Callable[[int], None] = lambda steps: None
    ) -> np.ndarray:
        assert self._accuracies.shape == (len(trees), len(seeds))
        for _ in range(self._accuracies.size):
            on_training(STEPS)
        return self._accuracies


def finalists(*accuracies: list[float]) -> tuple[list[Finalist], list[int]]:
    """What is chosen among losses that came in this order, and the steps reported."""
    trees = [canonical(LossTree.parse(text)) for text in ("x * log(y)", "log(y) - x / y", "x * y")]
    found = [Evaluation(str(tree), fitness_of(tree), "trained", STEPS) for tree in trees]
    steps: list[int] = []
    evaluator = Confirmer(list(accuracies))
    return choose(found, evaluator, range(len(accuracies[0])), on_training=steps.append), steps


def test_the_finalist_of_the_highest_mean_comes_first() -> None:
    chosen, steps = finalists([0.9, 0.3], [0.7, 0.8], [0.5, 0.8])
    assert chosen == [
        Finalist("log(y) - x / y", 0.75, 0.75, [0.7, 0.8], [0, 1]),
        Finalist("x * y", 0.5, 0.65, [0.5, 0.8], [0, 1]),
        Finalist("x * log(y)", 0.75, 0.6, [0.9, 0.3], [0, 1]),
    ]
    assert steps == [STEPS] * 6


def test_between_equal_finalists_the_searchs_order_decides() -> None:
    chosen, _ = finalists([0.5, 0.5], [0.25, 0.75], [0.9, 0.9])
    assert [one.expression for one in chosen] == ["x * y", "x * log(y)", "log(y) - x / y"]


def test_a_finalist_has_its_tree() -> None:
    (first, *_), _ = finalists([0.9], [0.7], [0.5])
    assert first.tree == canonical(LossTree.parse("x * log(y)"))


def evaluation(text: str, fitness: float, status: Status = "trained") -> Evaluation:
    return Evaluation(text, fitness, status, STEPS)


def test_the_best_of_a_discovery_are_the_trained_ones_and_the_smallest_of_each_fitness() -> None:
    best, same, second = evaluation("x * y", 0.9), evaluation("x * y^2", 0.9), evaluation("x - y", 0.8)
    third, failed = evaluation("x + y", 0.7), evaluation("x / y", 0.0, "non_finite")
    found = [Discovered(one, 1) for one in (best, same, second, third, failed)]
    assert select_discovered(found, 2) == [best, second]
    assert select_discovered(found, 10) == [best, second, third]


def test_where_nothing_was_trained_there_is_no_finalist() -> None:
    found = [Discovered(evaluation("x", 0.0, "lacks_variable"), 1), Discovered(evaluation("x / y", 0.0), 1)]
    with pytest.raises(GlojaxError, match="None of 2 distinct losses could be trained"):
        select_discovered(found, 5)


def tuned(*found: Evaluation) -> Tuned:
    """A loss whose tuning found these, the best first."""
    start = evaluation("x * y", 0.95)
    return Tuned("x * y", start, start, list(found), 3, 1, "generations: 1")


def test_the_best_of_a_tuning_are_those_of_all_losses_but_never_an_untuned_one() -> None:
    best, third, failed = evaluation("2.0*x * y", 0.9), evaluation("3.0*x * y", 0.7), evaluation("4.0*x * y", 0.0)
    second, fourth = evaluation("2.0*x / y", 0.8), evaluation("3.0*x / y", 0.6)
    losses = [tuned(best, third, failed), tuned(second, fourth)]
    assert select_tuned(losses, 3) == [best, second, third]
    assert select_tuned(losses, 10) == [best, second, third, fourth]


def test_of_equal_members_the_one_that_tuning_put_first_comes_first() -> None:
    first, second, other = evaluation("2.0*x * y", 0.9), evaluation("3.0*x * y", 0.9), evaluation("2.0*x / y", 0.9)
    assert select_tuned([tuned(first, second), tuned(other)], 10) == [first, second, other]


def test_a_member_that_two_losses_have_is_one_finalist() -> None:
    one, again = evaluation("2.0*x * y", 0.9), evaluation("2.0*x * y", 0.9, "cached")
    assert [member.expression for member in select_tuned([tuned(one), tuned(again)], 10)] == ["2.0*x * y"]


def test_where_no_member_was_trained_none_is_selected() -> None:
    assert select_tuned([tuned(evaluation("2.0*x * y", 0.0, "non_finite")), tuned()], 10) == []
