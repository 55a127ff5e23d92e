import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glojax.expressions import LossTree, Node
from glojax.expressions.bounds import FLOAT32_MAX, FLOAT32_MIN, Bounds, node_bounds
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

LABELS, PROBS = np.meshgrid([0.0, 1e-30, 0.25, 0.5, 1.0], [FLOAT32_MIN, 1e-30, 1e-7, 0.1, 0.5, 1.0 - 2.0**-24, 1.0])


def tree_bounds(tree: LossTree) -> Bounds:
    return tree.fold(node_bounds)


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("x", 0, 1),
        ("y", FLOAT32_MIN, 1),
        ("-3", -3, -3),
        ("x - y", -1, 1 - FLOAT32_MIN),
        ("x * -2", -2, 0),
        ("(x - 2) * (x - 3)", 2, 6),
        ("(x - 1)^2", 0, 1),
        ("(x - 2)^2", 1, 4),
        ("x / (y + 1)", 0, 1),
        ("1 / (x - 2)", -1, -0.5),
        ("log(y)", math.log(FLOAT32_MIN), 0),
        ("sqrt(x + 3)", math.sqrt(3), 2),
        ("1 / y", 1, 1 / FLOAT32_MIN),
        ("-0.5*x", -0.5, 0),
        ("exp(x - 1)", math.exp(-1), 1),
        ("exp(88 * x)", 1, math.exp(88)),
        ("abs(x - y)", 0, 1),
        ("abs(x - 3)", 2, 3),
        ("tanh(2 * x - 1)", -math.tanh(1), math.tanh(1)),
        ("sin(100 * x)", -1, 1),
        ("max(x - 1, y - 2)", -1, 0),
        ("min(x, 2)", 0, 1),
    ],
)
def test_known_bounds(text: str, lower: float, upper: float) -> None:
    bounds = tree_bounds(LossTree.parse(text))
    assert bounds.finite
    assert bounds == pytest.approx((lower, upper), rel=1e-5, abs=1e-37)


@pytest.mark.parametrize(
    "text",
    [
        *("log(x)", "1 / x", "x / (x - y)", "sqrt(x - y)", "log(y - 1)", "1 / 0", "5 / y", "y / (y * y)"),
        *("1 / (1 / x)", "exp(89 * x)", "exp(1 / x)", "cos(log(x))", "max(x, log(x))"),
    ],
)
def test_what_may_be_infinite_or_undefined_is_not_finite(text: str) -> None:
    assert tree_bounds(LossTree.parse(text)) == (-math.inf, math.inf)


@given(loss_trees(max_size=15) | loss_trees(max_size=15, operators=LIBRARY), st.data())
def test_float32_values_lie_within_the_bounds(tree: LossTree, data: st.DataObject) -> None:
    coefficients = st.lists(st.just(1.0) | st.floats(-4, 4, width=32), min_size=tree.size, max_size=tree.size)
    tree = tree.with_coefficients(data.draw(coefficients))
    bounds = tree_bounds(tree)
    values = evaluate(tree, LABELS, PROBS, np.float32)
    if bounds.finite:
        assert np.all(np.isfinite(values))
        assert bounds.lower <= values.min()
        assert values.max() <= bounds.upper


@given(loss_trees(max_size=15, coefficients=True) | loss_trees(max_size=15, operators=LIBRARY))
def test_float64_values_lie_within_the_bounds(tree: LossTree) -> None:
    bounds = tree_bounds(tree)
    if bounds.finite:
        values = evaluate(tree, LABELS, PROBS)
        assert bounds.lower <= values.min()
        assert values.max() <= bounds.upper


def test_what_may_underflow_may_be_zero() -> None:
    assert tree_bounds(LossTree.parse("y^2")).lower == 0
    assert tree_bounds(LossTree.parse("0 - y * y")).upper == 0
    assert tree_bounds(LossTree.parse("1e-40*2")) == (0, 2 * FLOAT32_MIN)


def test_what_may_overflow_is_not_finite() -> None:
    assert not node_bounds(Node("square"), Bounds(0.0, 1e20)).finite
    assert not node_bounds(Node("add"), Bounds(0.0, FLOAT32_MAX), Bounds(0.0, FLOAT32_MAX)).finite
    assert node_bounds(Node("square"), Bounds(0.0, 1e19)).finite


def test_a_difference_that_rounding_may_take_below_zero_has_no_root() -> None:
    assert tree_bounds(LossTree.parse("sqrt(1 - x)")).finite
    assert not tree_bounds(LossTree.parse("sqrt(1 - 3 * (1 / 3))")).finite


@pytest.mark.parametrize("coefficient", [math.inf, -math.inf, math.nan, 1e39])
def test_a_coefficient_beyond_float32_is_not_finite(coefficient: float) -> None:
    assert not tree_bounds(LossTree((Node("x", 0, coefficient),))).finite


def test_nonzero_is_finite_and_away_from_zero() -> None:
    texts = ("y", "x + 1", "x - 2", "x", "y^2", "1 / x")
    assert [tree_bounds(LossTree.parse(text)).nonzero for text in texts] == [True, True, True, False, False, False]
