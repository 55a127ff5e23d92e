import dataclasses
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.strategies.genetic import GeneticConfig, breed, draw_trees, mutate, reproduction
from glojax.strategies.genetic.reproduction import known_fitness

X, Y = LossTree.of("x"), LossTree.of("y")
LOG_X = LossTree.of("log", X)
CROSS_ENTROPY = LossTree.of("multiply", X, LossTree.of("log", Y))

NO_MUTATION = GeneticConfig(integer_step_rate=0, same_arity_rate=0, collapse_rate=0, expand_rate=0)


def test_random_trees_keep_to_their_depth_and_reach_it() -> None:
    trees = draw_trees(GeneticConfig(), np.random.default_rng(1), 80)

    assert len(trees) == 80
    assert max(tree.depth for tree in trees) == 2


def test_random_trees_keep_to_the_cap() -> None:
    config = GeneticConfig(initial_depth=6, max_nodes=4)

    assert {tree.size for tree in draw_trees(config, np.random.default_rng(2), 500)} == {1, 2, 3, 4}


def test_random_trees_that_do_not_meet_the_constraint_are_left_out() -> None:
    def uses_x(tree: LossTree) -> bool:
        return tree.uses("x")

    unconstrained = draw_trees(GeneticConfig(), np.random.default_rng(2), 80)
    constrained = draw_trees(GeneticConfig(), np.random.default_rng(2), 80, uses_x)

    expected = [tree for tree in unconstrained if uses_x(tree)]
    assert 0 < len(expected) < 80
    assert constrained[: len(expected)] == expected
    assert all(uses_x(tree) for tree in constrained)


def test_crossover_happens_at_its_rate(assert_rate: Callable[[int, int, float], None]) -> None:
    """Of the four ways to cross log(x) with itself, two change the pair; a copied pair never changes."""
    children = breed([LOG_X] * 4, [0.5] * 4, NO_MUTATION, np.random.default_rng(3), 20_000)
    pairs = list(zip(children[::2], children[1::2], strict=True))

    assert len(pairs) == 10_000
    assert_rate(sum(pair != (LOG_X, LOG_X) for pair in pairs), len(pairs), 0.8 / 2)


def test_both_children_of_a_crossover_are_kept() -> None:
    config = dataclasses.replace(NO_MUTATION, crossover_rate=1.0)

    children = breed([LOG_X] * 80, [0.5] * 80, config, np.random.default_rng(4), 80)
    sizes = Counter(first.size + second.size for first, second in zip(children[::2], children[1::2], strict=True))

    assert sizes == {2 * LOG_X.size: 40}
    assert {tree.size for tree in children} == {1, 2, 3}


def test_without_crossover_and_mutation_children_are_copies_of_selected_parents() -> None:
    config = dataclasses.replace(NO_MUTATION, crossover_rate=0.0)

    children = breed([X, Y, LOG_X, CROSS_ENTROPY], [0, 0, 0, 0.9], config, np.random.default_rng(5), 4)

    assert children == [CROSS_ENTROPY] * 4


@pytest.mark.parametrize("number", [1, 2, 7, 80])
def test_both_children_of_the_last_pair_are_returned(number: int) -> None:
    config = dataclasses.replace(NO_MUTATION, crossover_rate=0.0)

    assert breed([X], [0.5], config, np.random.default_rng(6), number) == [X] * (number + number % 2)


@pytest.mark.parametrize("limit", ["max_nodes", "constraint"])
def test_children_beyond_a_limit_are_discarded_whole(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_small(tree: LossTree) -> bool:
        return tree.size <= CROSS_ENTROPY.size

    config = GeneticConfig(max_nodes=CROSS_ENTROPY.size if limit == "max_nodes" else None, expand_rate=0.2)
    constraint = is_small if limit == "constraint" else lambda tree: True
    mutants: list[LossTree] = []

    def record(tree: LossTree, config: GeneticConfig, rng: np.random.Generator) -> LossTree:
        mutants.append(mutate(tree, config, rng))
        return mutants[-1]

    monkeypatch.setattr(reproduction, "mutate", record)

    children = breed([CROSS_ENTROPY] * 80, [0.5] * 80, config, np.random.default_rng(8), 78, constraint)

    assert children == [mutant for mutant in mutants if is_small(mutant)]
    assert len(children) < len(mutants)
    assert len(children) - 78 in (0, 1)


def test_a_search_for_trees_that_are_small_enough_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "_MAX_DRAWS_PER_CANDIDATE", 5)
    tree = CROSS_ENTROPY
    for _ in range(4):
        tree = LossTree.of("add", tree, tree)
    config = dataclasses.replace(NO_MUTATION, crossover_rate=0.0, expand_rate=1.0, max_nodes=tree.size)

    message = rf"Only 0 of 2 candidates.*max_nodes = {tree.size} nodes.*raise max_nodes or initial_depth, lower"
    with pytest.raises(ConfigurationError, match=message):
        breed([tree, tree], [0.5, 0.5], config, np.random.default_rng(12), 2)


def test_a_search_for_trees_that_meet_the_constraint_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    num_calls = 0

    def never(tree: LossTree) -> bool:
        nonlocal num_calls
        num_calls += 1
        return False

    monkeypatch.setattr(reproduction, "_MAX_DRAWS_PER_CANDIDATE", 5)
    with pytest.raises(ConfigurationError, match=r"Only 0 of 3 candidates.*or loosen the constraint"):
        draw_trees(GeneticConfig(), np.random.default_rng(13), 3, never)
    assert num_calls == 15


@pytest.mark.parametrize(
    ("fitness", "expected"),
    [
        ([], []),
        ([0.5, None, 0.25], [0.5, 0.0, 0.25]),
        ([None, None], [0.0, 0.0]),
        ([0.5, None, -2.0, -1.0], [0.5, -2.0, -2.0, -1.0]),
    ],
)
def test_unknown_fitness_is_no_higher_than_any_known_one(fitness: list[float | None], expected: list[float]) -> None:
    np.testing.assert_array_equal(known_fitness(fitness), expected)
    assert known_fitness(fitness).dtype == np.float64
