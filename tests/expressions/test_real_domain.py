"""Canonical forms and bounds where x and y are any numbers."""

import numpy as np
import pytest
from hypothesis import given

from glojax.expressions import LossTree, canonical
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

NUMBERS = [-3.0, -1.0, -0.37, 0.0, 0.5, 1.0, 2.25]
X, Y = (values.astype(np.float32) for values in np.meshgrid(NUMBERS, NUMBERS))


@pytest.mark.parametrize(
    ("text", "of_probabilities", "of_numbers"),
    [
        ("sqrt(x^2)", "x", "sqrt(x^2)"),
        ("y / y", "1", "y / y"),
        ("sqrt(y)^2", "y", "sqrt(y)^2"),
        ("x * y / y", "x", "x * y / y"),
        ("2 * x * y - y * x", "x * y", "x * y"),
        ("(y - x)^2 - 0", "(x - y)^2", "(x - y)^2"),
    ],
)
def test_a_rule_holds_only_where_its_numbers_lie(text: str, of_probabilities: str, of_numbers: str) -> None:
    tree = LossTree.parse(text)
    assert str(canonical(tree)) == of_probabilities
    assert str(canonical(tree, "real")) == of_numbers


@given(loss_trees(max_size=15) | loss_trees(max_size=12, coefficients=True, operators=LIBRARY))
def test_the_canonical_form_has_the_same_values_for_all_numbers(tree: LossTree) -> None:
    same = canonical(tree, "real")
    # Where single precision gives another value, rounding, overflow or underflow decide.
    expected, actual, rough, rough_same = (
        evaluate(each, X, Y, dtype) for dtype in (np.float64, np.float32) for each in (tree, same)
    )
    trusted = np.isclose(expected, rough, rtol=1e-3, equal_nan=True) & np.isclose(
        actual, rough_same, rtol=1e-3, equal_nan=True
    )
    finite = np.isfinite(expected) & np.isfinite(actual)
    np.testing.assert_array_equal((np.isfinite(expected) != np.isfinite(actual)) & trusted, False)
    np.testing.assert_allclose(actual[finite & trusted], expected[finite & trusted], rtol=1e-3, atol=1e-3)


@given(loss_trees(max_size=20) | loss_trees(operators=LIBRARY))
def test_the_canonical_form_of_a_canonical_form_is_itself(tree: LossTree) -> None:
    once = canonical(tree, "real")
    assert canonical(once, "real") == once
