from collections import Counter
from collections.abc import Callable

import numpy as np
from hypothesis import given, strategies as st

from glojax.expressions.tree import LossTree
from glojax.strategies.genetic import crossover
from tests.tree_strategies import LIBRARY, loss_trees

NUM_DRAWS = 10_000

X, Y = LossTree.of("x"), LossTree.of("y")


def test_points_are_uniform_over_all_nodes(assert_rate: Callable[[int, int, float], None]) -> None:
    """Two chains, of two and three nodes: the children's sizes and leaves tell both points."""
    rng = np.random.default_rng(1)
    first = LossTree.of("log", X)
    second = LossTree.of("sqrt", LossTree.of("square", Y))
    expected = {
        (first.replace(i, second.subtree(j)), second.replace(j, first.subtree(i))) for i in range(2) for j in range(3)
    }

    children = Counter(crossover(first, second, rng) for _ in range(NUM_DRAWS))

    assert len(expected) == 6
    assert children.keys() == expected
    for count in children.values():
        assert_rate(count, NUM_DRAWS, 1 / 6)


@given(parents=st.tuples(*[loss_trees(30, operators=LIBRARY)] * 2), seed=st.integers(0, 2**32 - 1))
def test_children_are_trees_that_hold_exactly_the_parents_nodes(parents: tuple[LossTree, LossTree], seed: int) -> None:
    rng = np.random.default_rng(seed)

    children = crossover(*parents, rng)

    assert all(LossTree(child.nodes) == child for child in children)
    assert Counter(node for tree in children for node in tree.nodes) == Counter(
        node for tree in parents for node in tree.nodes
    )


def test_coefficients_travel_with_their_nodes() -> None:
    first, second = LossTree.of("x", coefficient=2.0), LossTree.of("y", coefficient=3.0)

    assert crossover(first, second, np.random.default_rng(2)) == (second, first)
