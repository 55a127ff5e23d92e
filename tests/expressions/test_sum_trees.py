import pytest

from glojax.expressions import LossTree, Node
from glojax.expressions.bounds import Bounds
from glojax.expressions.sum_trees import by_size, write_sum
from glojax.expressions.sums import UNIT, Atom, Number

X = Atom((Node("x"),), Bounds(0.0, 1.0))
Y = Atom((Node("y"),), Bounds(0.5, 1.0))


@pytest.mark.parametrize(
    ("exponents", "text"),
    [
        ({(X, 0): 1, (Y, 0): 1}, "x * y"),
        ({(X, 0): 2, (Y, 0): 2}, "(x * y)^2"),
        ({(X, 0): 3, (Y, 0): -2}, "x * (x / y)^2"),
        ({(Y, 0): -1}, "1 / y"),
        ({(Y, 0): -2}, "1 / y^2"),
        ({(Y, 0): 6}, "(y * y^2)^2"),
        ({(X, 0): 1, (X, 1): 1}, "x / x"),
        ({(X, 2): 1}, "1 / (1 / x)"),
        ({(Y, 0): -1, (X, 2): 1}, "1 / (y / x)"),
        ({(Y, 0): -2, (X, 2): 2}, "1 / (y / x)^2"),
    ],
)
def test_products_are_written_by_repeated_squaring(exponents: dict[tuple[Atom, int], int], text: str) -> None:
    assert str(LossTree(write_sum({frozenset(exponents.items()): 1}))) == text


@pytest.mark.parametrize(
    ("x", "y", "constant", "text"),
    [
        (1, 1, 1, "x + y + 1"),
        (-1, 1, 1, "y + 1 - x"),
        (-1, -1, -1, "-1 - x - y"),
        (2, 3, -1, "2 * x + 3 * y - 1"),
        (2, -2, 1, "2 * (x - y) + 1"),
        (-2, -2, 1, "1 - 2 * (x + y)"),
        (-3, -1, 0, "-3 * x - y"),
    ],
)
def test_sums_begin_with_what_is_added(x: Number, y: Number, constant: Number, text: str) -> None:
    terms = {frozenset([((X, 0), 1)]): x, frozenset([((Y, 0), 1)]): y, UNIT: constant}
    assert str(LossTree(write_sum({term: value for term, value in terms.items() if value}))) == text


def test_an_empty_sum_is_zero() -> None:
    assert write_sum({}) == (Node("constant", 0),)


def test_trees_are_ordered_by_size_first() -> None:
    trees = [LossTree.parse(text).nodes for text in ("log(y)", "y", "x", "x + y", "sqrt(x)")]
    assert [str(LossTree(nodes)) for nodes in sorted(trees, key=by_size)] == ["x", "y", "log(y)", "sqrt(x)", "x + y"]
