import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from numpy.typing import NDArray

from glojax.expressions import MAX_INTEGER, LossTree, Node, canonical
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

# Labels 0, 1 and soft; probabilities up to 1. All are float32 numbers.
LABELS, PROBS = (
    values.astype(np.float32)
    for values in np.meshgrid([0.0, 1.0, 0.123, 0.5, 0.87], [0.01, 0.19, 0.5, 0.643, 0.97, 1.0])
)


def form(text: str) -> str:
    return str(canonical(LossTree.parse(text)))


@pytest.mark.parametrize(
    "text",
    [
        "log(y) - x / y",
        "x * log(y)",
        "x - y",
        "y - x",
        "x + y + 2",
        "1 - y",
        "-y",
        "2 * x",
        "x / 3",
        "x / -3",
        "2 * x / 3",
        "1 / 2",
        "x * (1 - y)",
        "x * (y - 1)",
        "-1 - x",
        "-x - y",
        "2 * (x + y)",
        "(x - y)^2",
        "(x / y)^2",
        "y * y^2",
        "(y^2)^2",
        "1 / sqrt(y)",
        "x / sqrt(y)",
        "sqrt(8 * y)",
        "x / sqrt(2)",
        "2 * x * (y + 2)",
        "log(0)",
        "1 / 0",
        "0.5*x * log(y)",
    ],
)
def test_these_are_canonical(text: str) -> None:
    assert form(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log(y) * x", "x * log(y)"),
        ("-(x / y) + log(y)", "log(y) - x / y"),
        ("1 + y + x", "x + y + 1"),
        ("x - (y - 1)", "x + 1 - y"),
        ("x / y / y", "x / y^2"),
        ("(x + y) * (y + x)", "(x + y)^2"),
        ("(y - x)^2", "(x - y)^2"),
        ("(1 - x) * (1 - y)", "(1 - x) * (1 - y)"),
        ("(x - 1) * (y - 1)", "(1 - x) * (1 - y)"),
        ("x + 0", "x"),
        ("1 * x / 1", "x"),
        ("--x", "x"),
        ("x - x", "0"),
        ("y / y", "1"),
        ("x * y / y", "x"),
        ("(y + 1) / (y + 1)", "1"),
        ("0 * x", "0"),
        ("y + y", "2 * y"),
        ("2 * y - y", "y"),
        ("x / 3 + x / 3", "2 * x / 3"),
        ("y * y", "y^2"),
        ("y^2 / y", "y"),
        ("2 * 3 - 4 / 2", "4"),
        ("(1 + 1) / (1 + 1 + 1)", "2 / 3"),
        ("3 / 4 - x / 4", "(3 - x) / 4"),
        ("2 * x + 2 * log(y)", "2 * (x + log(y))"),
        ("log(1)", "0"),
        ("log(y / y)", "0"),
        ("sqrt(4)", "2"),
        ("sqrt(1 / 4)", "1 / 2"),
        ("sqrt(2)^2", "2"),
        ("sqrt(x)^2", "x"),
        ("sqrt(x^2)", "x"),
        ("sqrt(y) * sqrt(y)", "y"),
        ("sqrt(y) * sqrt(y) / sqrt(y)", "sqrt(y)"),
        ("sqrt(y) / y", "1 / sqrt(y)"),
        ("sqrt(log(y)^2)", "-log(y)"),
        ("sqrt(-log(y))^2", "-log(y)"),
        ("sqrt((x - y)^2)^2", "(x - y)^2"),
        ("1 / (1 / y)", "y"),
        ("x / (y / (y + 1))", "x * (y + 1) / y"),
        ("1 / (1 / (1 / x))", "1 / x"),
        ("0.5*(y + x)", "0.5*(x + y)"),
        ("2.5*log(y + 0) * 1", "2.5*log(y)"),
    ],
)
def test_these_are_simplified(text: str, expected: str) -> None:
    assert form(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x / x", "0 / 0 at x = 0"),
        ("log(y) / log(y)", "0 / 0 at y = 1"),
        ("1 / (1 / x)", "a division by zero at x = 0"),
        ("y / (x / (1 - y))", "a division by zero at y = 1"),
        ("sqrt((x - y)^2)", "the absolute value of x - y"),
        ("sqrt(x - y)^2", "undefined where x < y"),
        ("0 * log(x)", "undefined at x = 0"),
        ("0 / x", "undefined at x = 0"),
        ("log(x) + 0 * log(x)", "undefined at x = 0, where log(x) is infinite"),
        ("0.5*1 + 0.5*1", "coefficients are not arithmetic"),
    ],
)
def test_what_is_not_the_same_function_stays(text: str, reason: str) -> None:
    kept = form(text)
    assert kept not in ("0", "1", "x", "log(x)", "y * (1 - y) / x", "x - y", "1.0"), reason


@pytest.mark.parametrize(("text", "expected"), [("log(x) - log(x)", "0 * log(x)"), ("1 / x - 1 / x", "0 / x")])
def test_infinity_minus_infinity_is_not_zero(text: str, expected: str) -> None:
    assert form(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exp(y * 1 + x) + 0", "exp(x + y)"),
        ("exp(y) * exp(y)", "exp(y)^2"),
        ("exp(y) / exp(y)", "1"),
        ("y / exp(1 / x)", "y / exp(1 / x)"),
        ("exp(0 / 0)", "0 / 0"),
        ("max(y + 0, x)", "max(x, y)"),
        ("min(y, x) - min(x, y)", "0"),
        ("aq(y + 0, x)", "aq(y, x)"),
        ("sqrt(exp(y)^2)", "exp(y)"),
        ("sqrt(abs(x - y)^2)", "abs(x - y)"),
        ("y^3", "y * y^2"),
        ("y^1", "y"),
        ("y * y * y^2.0", "(y^2)^2"),
        ("(2 * x)^3", "8 * x * x^2"),
        ("y^3 / y", "y^2"),
        ("0^3", "0"),
        ("y^0.7 * y^0.7", "(y^0.7)^2"),
        ("(y + 0)^-1", "y^-1"),
        ("0.5*(y + 0)^3", "0.5*y^3"),
    ],
)
def test_other_operators_are_opaque_but_for_whole_powers_bounds_and_order(text: str, expected: str) -> None:
    assert form(text) == expected


@given(loss_trees(max_size=25, coefficients=True) | loss_trees(max_size=40) | loss_trees(operators=LIBRARY))
def test_the_canonical_form_of_a_canonical_form_is_itself(tree: LossTree) -> None:
    once = canonical(tree)
    assert canonical(once) == once


@given(
    loss_trees(max_size=20)
    | loss_trees(max_size=15, coefficients=True)
    | loss_trees(max_size=15, coefficients=True, operators=LIBRARY)
)
def test_the_canonical_form_has_the_same_values(tree: LossTree) -> None:
    same = canonical(tree)
    comparable = trusted(tree) & trusted(same)
    expected, actual = (evaluate(each, LABELS, PROBS)[comparable] for each in (tree, same))
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(actual[finite], expected[finite], rtol=1e-5, atol=1e-5)


@given(loss_trees(max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_operands_does_not_matter(tree: LossTree, choice: random.Random) -> None:
    assume(constants_stay_small(tree))
    other = tree
    for _ in range(10):
        index = choice.randrange(other.size)
        other = other.replace(index, choice.choice([*equal_trees(other.subtree(index))]))
    assume(constants_stay_small(other))
    assert canonical(other) == canonical(tree)


@given(loss_trees(max_size=30))
def test_the_canonical_form_is_hardly_larger(tree: LossTree) -> None:
    assert canonical(tree).size <= 1.5 * tree.size + 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("(x - y / 4)^2", "(4 * x - y)^2 / 16"), ("3 * log(x) - log(x)", "0 * log(x) + 2 * log(x)")],
)
def test_these_grow(text: str, expected: str) -> None:
    assert form(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{MAX_INTEGER} + 1", f"1 + {MAX_INTEGER}"),
        ("y * 5000^2 * 1", "1 * (y * 5000^2)"),
        (f"log(y * y / {MAX_INTEGER} / {MAX_INTEGER})", f"log(y * y / {MAX_INTEGER} / {MAX_INTEGER})"),
    ],
)
def test_constants_beyond_the_largest_integer_are_not_folded(text: str, expected: str) -> None:
    assert form(text) == expected
    assert form(expected) == expected


def equal_trees(tree: LossTree) -> Iterator[LossTree]:
    """Trees that differ from one by commutation or re-association at the root."""
    yield tree
    of, root = LossTree.of, tree.nodes[0].operator
    if root == "square":
        yield of("multiply", *tree.operands * 2)
    if len(tree.operands) < 2:
        return
    a, b = tree.operands
    for outer, inverse in (("add", "subtract"), ("multiply", "divide")):
        if root == outer:
            yield of(outer, b, a)
        if root == outer and a.nodes[0].operator == outer:
            yield of(outer, a.operands[0], of(outer, a.operands[1], b))
        if root == outer and b.nodes[0].operator == inverse:
            yield of(inverse, of(outer, a, b.operands[0]), b.operands[1])
        if root == inverse and a.nodes[0].operator == outer:
            yield of(outer, a.operands[0], of(inverse, a.operands[1], b))
        if root == inverse and a.nodes[0].operator == inverse:
            yield of(inverse, a.operands[0], of(outer, a.operands[1], b))
        if root == inverse and b.nodes[0].operator == outer:
            yield of(inverse, of(inverse, a, b.operands[0]), b.operands[1])
    if root == "subtract":
        yield of("add", a, of("multiply", LossTree.constant(-1), b))
        if b.nodes[0].operator == "subtract":
            yield of("add", of("subtract", a, b.operands[0]), b.operands[1])


def constants_stay_small(tree: LossTree) -> bool:
    """Whether no numerator or denominator of a coefficient can pass `MAX_INTEGER`."""
    largest = 1.0

    def size(node: Node, *operands: float) -> float:
        nonlocal largest
        match node.operator, operands:
            case "add" | "subtract", (a, b):
                result = 2 * a * b
            case "multiply" | "divide", (a, b):
                result = a * b
            case "square", (a,):
                result = a * a
            case "sqrt", (a,):  # whose square it is again
                result = a
            case _:
                result = max(1.0, abs(node.value))
        largest = max(largest, result)
        return min(result, 1e100)

    tree.fold(size)
    return largest < MAX_INTEGER


def trusted(tree: LossTree) -> NDArray[np.bool_]:
    """The points where rounding, overflow, underflow and the sign of an infinity do not decide a tree's value.

    There it is the same in float32 and float64; no finite numbers make an infinity, or nonzero ones a zero; and no
    infinity meets an operator that asks for its sign.
    """
    low, high = (evaluate(tree, LABELS, PROBS, dtype) for dtype in (np.float32, np.float64))
    good = np.isclose(low, high, rtol=1e-3, atol=1e-6, equal_nan=True) | ~(np.isfinite(low) | np.isfinite(high))
    for index in range(tree.size):
        subtree = tree.subtree(index)
        value = evaluate(subtree, LABELS, PROBS, np.float32)
        operands = [evaluate(operand, LABELS, PROBS, np.float32) for operand in subtree.operands]
        if not operands:
            continue
        if subtree.nodes[0].operator in ("log", "sqrt", "add", "subtract"):
            good &= ~np.logical_or.reduce([np.isinf(operand) for operand in operands])
        if subtree.nodes[0].operator in ("multiply", "divide", "square"):
            regular = np.logical_and.reduce([np.isfinite(operand) & (operand != 0) for operand in operands])
            good &= ~regular | (np.isfinite(value) & (value != 0))
    return np.asarray(good, np.bool_)
