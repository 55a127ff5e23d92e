"""Numbers of a tree, folded for people to read: the same function, in a shorter text."""

import numpy as np
import pytest
from hypothesis import assume, given

from glojax.expressions import LossTree, Node, folding, with_folded_numbers
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

LABELS, PROBS = (
    values.astype(np.float32) for values in np.meshgrid([0.0, 1.0, 0.5], [0.01, 0.19, 0.5, 0.643, 0.97, 1.0])
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("0.11*2 / 10.0 + x * y", "0.022 + x * y"),
        ("0.19*sqrt(1) * log(y) - x", "0.19*log(y) - x"),
        ("log(y) * (0.624548*(1 / 1) + 3.30394*(1 * x))", "log(y) * (0.624548 + 3.30394*x)"),
        ("log(y) - -1.1135*(1.3716*x / (-0.23*y))", "log(y) - 6.64033*(x / y)"),
        ("2.0*x * (3.0*y)^2", "18.0*(x * y^2)"),
        ("x * (0 + 1.5*y)", "1.5*(x * y)"),
        ("x * exp(0.5*1) * y", "1.64872*(x * y)"),
        ("2 * 3 * x + y", "6.0*x + y"),
        ("x * log(y) + x * (1.5*y - 1.75*y)", "x * log(y) - 0.25*(x * y)"),
        ("x + 1.5*log(y) - 1.5*log(y)", "x + 1.5*log(y) - 1.5*log(y)"),
    ],
)
def test_numbers_are_folded(text: str, folded: str) -> None:
    assert str(with_folded_numbers(LossTree.parse(text))) == folded


@pytest.mark.parametrize("text", ["x * log(y)", "x / 0 + y", "log(-1) * x", "y * 1.5*x^2", "exp(1000) * x"])
def test_a_tree_that_is_short_or_has_no_finite_number_stays(text: str) -> None:
    tree = LossTree.parse(text)
    assert with_folded_numbers(tree) is tree


def has_number_to_fold(tree: LossTree) -> bool:
    """Return whether an operator of a sum, product or quotient has numbers alone."""
    return any(
        node.operator in ("add", "subtract", "multiply", "divide")
        and not any(tree.subtree(index).uses(name) for name in ("x", "y"))
        for index, node in enumerate(tree.nodes)
    )


@given(loss_trees(operators=LIBRARY, coefficients=True))
def test_the_function_stays_and_the_text_gets_no_longer(tree: LossTree) -> None:
    # Six digits of numbers that cancel each other, or stand in an exponent, are fewer in what comes of them.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "_DIGITS", 17)
        folded = with_folded_numbers(tree)
    assert len(str(folded)) <= len(str(tree))
    assert LossTree.parse(str(folded)) == folded
    values, again = (evaluate(one, LABELS, PROBS) for one in (tree, folded))
    assume(np.all(np.isfinite(values)))
    # Nor is a sine of 1e13 what it was when the last digit changes.
    shifted = tree.with_coefficients([coefficient * (1 + 1e-12) for coefficient in tree.coefficients])
    assume(np.allclose(evaluate(shifted, LABELS, PROBS), values, rtol=1e-7, atol=1e-9))
    np.testing.assert_allclose(again, values, rtol=1e-6, atol=1e-9 * max(1.0, np.abs(values).max()))


def test_coefficients_move_to_the_root_of_a_product() -> None:
    tree = LossTree.parse("0.5*x * (0.25*y)")
    assert with_folded_numbers(tree).nodes[0] == Node("multiply", coefficient=0.125)
    assert not has_number_to_fold(with_folded_numbers(LossTree.parse("(1 + 2) * 3 * x - 0.5*1 / 4.0 * y")))
