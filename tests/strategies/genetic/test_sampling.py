from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glojax.expressions.operators import OPERATORS, SAMPLED_VALUES
from glojax.strategies.genetic import GeneticConfig, random_node, random_tree
from tests.tree_strategies import LIBRARY

NUM_DRAWS = 10_000

# The paper's weights, and 1 for the square; 1 and -1 have weight 1 each.
WEIGHTS = {"log": 3, "x": 3, "y": 3, "sqrt": 2, "constant": 2, "square": 1}
WEIGHTS |= dict.fromkeys(("add", "subtract", "multiply", "divide"), 1)


@pytest.mark.parametrize("arity", [None, 0, 1, 2])
def test_operators_are_drawn_by_weight(arity: int | None, assert_rate: Callable[[int, int, float], None]) -> None:
    rng = np.random.default_rng(1)
    weights = {name: weight for name, weight in WEIGHTS.items() if arity in (None, OPERATORS[name].arity)}

    counts = Counter(random_node(rng, arity).operator for _ in range(NUM_DRAWS))

    assert counts.keys() == weights.keys()
    for name, weight in weights.items():
        assert_rate(counts[name], NUM_DRAWS, weight / sum(weights.values()))


def test_a_set_is_drawn_by_its_weights(assert_rate: Callable[[int, int, float], None]) -> None:
    rng = np.random.default_rng(6)
    weights = GeneticConfig(operators=("exp=2.5", "log", "max", "power")).operator_weights

    counts = Counter(random_node(rng, weights=weights).operator for _ in range(NUM_DRAWS))

    expected = {"x": 3, "y": 3, "constant": 2, "log": 3, "exp": 2.5, "max": 1, "power": 1}
    assert counts.keys() == expected.keys()
    for name, weight in expected.items():
        assert_rate(counts[name], NUM_DRAWS, weight / sum(expected.values()))


def test_exponents_are_drawn_equally(assert_rate: Callable[[int, int, float], None]) -> None:
    rng = np.random.default_rng(7)
    weights = GeneticConfig(operators=("power", "add")).operator_weights

    exponents = Counter(random_node(rng, 1, weights).value for _ in range(1_000))

    assert exponents.keys() == set(SAMPLED_VALUES["power"])
    assert_rate(exponents[0.5], 1_000, 1 / len(exponents))


def test_integers_are_drawn_equally(assert_rate: Callable[[int, int, float], None]) -> None:
    rng = np.random.default_rng(2)

    leaves = [random_node(rng, arity=0) for _ in range(NUM_DRAWS)]
    integers = Counter(leaf.value for leaf in leaves if leaf.operator == "constant")

    assert integers.keys() == set(SAMPLED_VALUES["constant"]) == {1, -1}
    assert_rate(integers[1], integers.total(), 0.5)


def test_other_nodes_hold_no_value_and_all_have_coefficient_one() -> None:
    rng = np.random.default_rng(3)

    for node in (random_node(rng) for _ in range(1_000)):
        assert node.coefficient == 1
        assert node.value == 0 or node.operator == "constant"
        assert type(node.value) is int


@given(
    seed=st.integers(0, 2**32 - 1),
    max_depth=st.integers(0, 8),
    operators=st.lists(st.sampled_from(LIBRARY), unique=True).map(lambda names: ("add", *({*names} - {"add"}))),
)
def test_trees_keep_to_their_depth_and_their_set(seed: int, max_depth: int, operators: tuple[str, ...]) -> None:
    tree = random_tree(np.random.default_rng(seed), max_depth, GeneticConfig(operators=operators).operator_weights)

    assert 0 <= tree.depth <= max_depth
    assert {node.operator for node in tree.nodes if node.arity} <= {*operators}


def test_depth_counts_edges_so_baikals_shape_is_drawn(assert_rate: Callable[[int, int, float], None]) -> None:
    """Baikal, log(y) - x / y, is a binary node over a unary one with a leaf, and a binary one with two leaves."""
    rng = np.random.default_rng(4)
    baikal_shape = (2, 1, 0, 2, 0, 0)
    unary, binary = 6 / 18, 4 / 18

    trees = [random_tree(rng, max_depth=2) for _ in range(NUM_DRAWS)]
    drawn = sum(tuple(node.arity for node in tree.nodes) == baikal_shape for tree in trees)

    assert {tree.depth for tree in trees} == {0, 1, 2}
    assert_rate(drawn, NUM_DRAWS, binary * unary * binary)


def test_no_depth_is_too_deep_to_grow() -> None:
    rng = np.random.default_rng(5)

    assert max(random_tree(rng, max_depth=10**9).depth for _ in range(500)) > 5
