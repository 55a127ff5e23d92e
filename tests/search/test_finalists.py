import math
from dataclasses import replace
from typing import Any

import pytest

from glojax.errors import GlojaxError
from glojax.evaluation import Evaluation, FitnessRule, Status, Trial
from glojax.expressions import LossTree, canonical
from glojax.search.finalists import Finalist, choose, halve, halving_rounds, select_discovered, select_tuned
from glojax.search.generations import Discovered
from glojax.search.tuning import Tuned
from tests.search.fakes import STEPS, FakeEvaluator, fitness_of

TEXTS = ("x * log(y)", "log(y) - x / y", "x * y")
TREES = [canonical(LossTree.parse(text)) for text in TEXTS]


def finalists(*accuracies: list[float]) -> list[Finalist]:
    """Return the choice between losses that came in this order, with accuracies [losses][seeds]."""
    by_seed = dict(zip(TREES, accuracies, strict=True))
    evaluator = FakeEvaluator(
        trial=lambda tree, rate, seed: Trial(rate, seed, {"validation": by_seed[tree][seed]}, True, STEPS)
    )
    found = [Evaluation(tree, fitness_of(tree), "trained", STEPS) for tree in TREES]
    chosen = choose(found, evaluator, range(len(accuracies[0])))
    assert evaluator.rules == [FitnessRule(tuple(range(len(accuracies[0]))))]
    return chosen


def test_the_finalist_of_the_highest_mean_comes_first() -> None:
    assert finalists([0.9, 0.3], [0.7, 0.8], [0.5, 0.8]) == [
        Finalist(TREES[1], 0.75, 0.75, [0.7, 0.8], [0, 1]),
        Finalist(TREES[2], 0.5, 0.65, [0.5, 0.8], [0, 1]),
        Finalist(TREES[0], 0.75, 0.6, [0.9, 0.3], [0, 1]),
    ]


def test_between_equal_finalists_the_searchs_order_decides() -> None:
    chosen = finalists([0.5, 0.5], [0.25, 0.75], [0.9, 0.9])
    assert [str(one.tree) for one in chosen] == ["x * y", "x * log(y)", "log(y) - x / y"]


def test_a_finalist_that_cannot_be_trained_with_any_fresh_seed_comes_last() -> None:
    evaluator = FakeEvaluator(lambda tree: None if tree.uses("log") else 0.25)
    found = [Evaluation(tree, 0.9, "trained", STEPS) for tree in TREES]
    chosen = choose(found, evaluator, [7, 8])
    assert [(str(one.tree), one.scores) for one in chosen] == [
        ("x * y", [0.25, 0.25]),
        ("x * log(y)", [0.0, 0.0]),
        ("log(y) - x / y", [0.0, 0.0]),
    ]


def test_without_a_worst_score_a_finalist_of_which_one_training_broke_off_comes_last() -> None:
    chosen = finalists([0.9, math.nan], [0.7, 0.8], [0.5, 0.8])
    assert [one.mean_score for one in chosen] == [0.75, 0.65, None]
    assert chosen[-1].scores == [0.9]


def test_a_halving_trains_few_with_many_seeds() -> None:
    assert halving_rounds(16, 24) == [(16, 3), (8, 6), (4, 12), (2, 24)]
    assert halving_rounds(3, 2) == [(3, 2)]
    assert halving_rounds(7, 24) == [(7, 12), (4, 24)]
    assert halving_rounds(6, 1) == [(6, 1), (3, 1)]


def test_the_finalists_that_stay_longest_come_first_each_at_its_own_rate() -> None:
    # The first loses to luck with one seed, and the second only with four.
    trees = [LossTree.parse(text) for text in (*TEXTS, "x * sqrt(y)")]
    scores = dict(
        zip(trees, ([0.1, 1, 1, 1], [0.9, 0.9, 0.1, 0.1], [0.5, 0.1, 0, 0], [0.6, 0.7, 0.7, 0.7]), strict=True)
    )
    evaluator = FakeEvaluator(
        trial=lambda tree, rate, seed: Trial(rate, seed, {"validation": scores[tree][seed - 5]}, True, STEPS)
    )
    rates = [0.1, 0.2, 0.3, 0.4]
    found = [Evaluation(tree, 0.5, "trained", 9, rate) for tree, rate in zip(trees, rates, strict=True)]
    chosen = halve(found, evaluator, range(5, 9))
    # Two seeds leave the second and the fourth.
    assert [(str(one.tree), one.learning_rate, len(one.seeds)) for one in chosen] == [
        ("x * sqrt(y)", 0.4, 4),
        ("log(y) - x / y", 0.2, 4),
        ("x * log(y)", 0.1, 2),
        ("x * y", 0.3, 2),
    ]
    assert [one.mean_score for one in chosen] == [0.675, 0.5, 0.55, 0.3]


def test_a_finalist_is_written_as_text_and_latex() -> None:
    (first, *_) = finalists([0.9], [0.7], [0.5])
    assert first.record == {
        "expression": "x * log(y)",
        "fitness": 0.75,
        "mean_score": 0.9,
        "scores": [0.9],
        "seeds": [0],
    }
    assert set(first.loss_record) == {"expression", "latex", "fitness", "mean_score"}
    assert "log" in first.loss_record["latex"]


def evaluation(text: str, fitness: float | None, status: Status = "trained") -> Evaluation:
    return Evaluation(LossTree.parse(text), fitness, status, STEPS)


def test_the_best_of_a_discovery_are_the_trained_ones_and_the_smallest_of_each_fitness() -> None:
    best, same, second = evaluation("x * y", 0.9), evaluation("x * y^2", 0.9), evaluation("x - y", 0.8)
    third, failed = evaluation("x + y", 0.7), evaluation("x / y", None, "non_finite")
    found = [Discovered(one, 1) for one in (best, same, second, third, failed)]
    assert select_discovered(found, 2) == [best, second]
    assert select_discovered(found, 10) == [best, second, third]


def test_a_loss_of_fitness_0_is_a_finalist_and_one_of_unknown_fitness_is_not() -> None:
    zero, unknown = evaluation("x * y", 0.0), evaluation("x / y", None, "crashed")
    assert select_discovered([Discovered(zero, 1), Discovered(unknown, 1)], 10) == [zero]
    assert select_tuned([tuned(zero, unknown)], 10) == [zero]


def test_where_nothing_was_trained_there_is_no_finalist() -> None:
    found = [Discovered(evaluation("x", None, "lacks_variable"), 1), Discovered(evaluation("x / y", None), 1)]
    with pytest.raises(GlojaxError, match="None of 2 distinct losses could be trained"):
        select_discovered(found, 5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "non_finite"}, "as 3 diverged; lower --learning-rate, or scale inputs and targets"),
        ({"status": "rejected", "rejected_by": "pull"}, "raise --generations or --population-size"),
        ({"status": "rejected", "rejected_by": "rung"}, "as 3 were rejected after a short training; give more --steps"),
    ],
)
def test_what_most_losses_have_failed_by_is_named(change: dict[str, Any], reason: str) -> None:
    texts = ("x / y", "x * y", "x * log(y)", "x")
    found = [Discovered(replace(evaluation(text, None), **change), 1) for text in texts[:3]]
    found.append(Discovered(evaluation("x", None, "lacks_variable"), 1))
    with pytest.raises(GlojaxError, match=f"None of 4 distinct losses could be trained to the end[,;] {reason}"):
        select_discovered(found, 5)


def tuned(*found: Evaluation) -> Tuned:
    """Return a loss whose tuning found these, the best first."""
    start = evaluation("x * y", 0.95)
    return Tuned(start.tree, start, start, list(found), 3, 1, "generations: 1")


def test_the_best_of_a_tuning_are_those_of_all_losses_but_never_an_untuned_one() -> None:
    best, third, failed = evaluation("2.0*x * y", 0.9), evaluation("3.0*x * y", 0.7), evaluation("4.0*x * y", None)
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
    assert select_tuned([tuned(evaluation("2.0*x * y", None, "non_finite")), tuned()], 10) == []
