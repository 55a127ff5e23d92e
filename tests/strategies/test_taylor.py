"""What the search for Taylor losses does beyond the promises of all strategies."""

import math

import numpy as np
import pytest

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import taylor_tree
from glojax.strategies import TaylorConfig, TaylorSearch
from glojax.strategies.coefficients import CmaEs
from tests.strategies.driving import ask_all, evaluation, number_of, rounds_of

CONFIG = TaylorConfig(order=2, population_size=24)


def members(evolution: CmaEs) -> list[LossTree]:
    return [taylor_tree([float(f"{value:.6g}") for value in row], 2) for row in evolution.ask()]


def test_the_candidates_are_the_members_of_cma_es_from_zero_and_fitness_reaches_it() -> None:
    search, evolution = TaylorSearch(CONFIG, seed=4), CmaEs(np.zeros(5), CONFIG.evolution, seed=4)
    for trees in rounds_of(search, 4, number_of):
        assert trees == members(evolution)
        evolution.tell([number_of(tree) for tree in trees])


def test_the_first_members_spread_by_sigma_around_the_start() -> None:
    start = (4.0, 8.0, 12.0, -4.0, -8.0)
    config = TaylorConfig(order=2, population_size=500, sigma=0.5, start=start)
    trees = ask_all(TaylorSearch(config, seed=0))
    coefficients = np.array([sorted({*tree.coefficients} - {1.0}) for tree in trees])
    np.testing.assert_allclose(coefficients.mean(axis=0), sorted(start), atol=0.1)
    np.testing.assert_allclose(coefficients.std(axis=0), 0.5, rtol=0.15)


def test_members_that_do_not_meet_the_constraint_are_not_asked_for_and_rank_worst() -> None:
    def is_allowed(tree: LossTree) -> bool:
        return number_of(tree) < 0.6

    search, evolution = TaylorSearch(CONFIG, 4, constraint=is_allowed), CmaEs(np.zeros(5), CONFIG.evolution, seed=4)
    num_refused = 0
    for trees in rounds_of(search, 4, number_of):
        assert trees == [tree for tree in members(evolution) if is_allowed(tree)]
        num_refused += 24 - len(trees)
        evolution.tell([number_of(tree) if is_allowed(tree) else -math.inf for tree in members(evolution)])
    assert num_refused


def test_a_constraint_that_nothing_meets_is_reported() -> None:
    message = "None of the first 120 Taylor losses meets the constraint and can be trained; loosen the constraint"
    with pytest.raises(ConfigurationError, match=message):
        TaylorSearch(CONFIG, 0, constraint=lambda tree: False).ask(1)


def test_initial_losses_teach_nothing() -> None:
    initial = [LossTree.parse("x * log(y)")]
    search = TaylorSearch(CONFIG, seed=4, initial=initial)
    assert ask_all(search) == initial
    search.tell(initial[0], evaluation(initial[0], 0.9))
    assert ask_all(search) == ask_all(TaylorSearch(CONFIG, seed=4))


def test_a_search_ends_when_cma_es_does() -> None:
    search, num_generations = TaylorSearch(CONFIG, seed=1), 0
    while trees := ask_all(search):
        for tree in trees:
            search.tell(tree, evaluation(tree, sum(tree.coefficients)))  # of which there is no highest
        num_generations += 1
    assert 10 < num_generations < 200
    assert not search.ask(1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": 9}, "order is 9; expected a whole number from 2 to 5"),
        ({"start": (0.0, 1.0)}, r"Got \[0.0, 1.0\] for a Taylor loss of order 3; expected 8 finite numbers"),
        ({"sigma": 0.0}, "sigma is 0.0; expected a positive number"),
        ({"population_size": 1}, "population_size is 1; expected a whole number of at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TaylorConfig(**changes)  # type: ignore[arg-type]
