import math
import pickle

import pytest
from hypothesis import given, strategies as st

from glojax.errors import ExpressionError
from glojax.expressions import MAX_INTEGER, LossTree, Node
from tests.tree_strategies import loss_trees

BAIKAL = LossTree.parse("log(y) - x / y")

DEEP = {
    "unary": LossTree((Node("sqrt"),) * 10_000 + (Node("y"),)),
    "left": LossTree((Node("add"),) * 10_000 + (Node("x"),) * 10_001),
    "right": LossTree((Node("subtract"), Node("y")) * 10_000 + (Node("x"),)),
    "coefficients": LossTree((Node("log", 0, 1.5), Node("divide"), Node("x", 0, 0.5)) * 5_000 + (Node("y"),)),
}


@pytest.mark.parametrize(
    "nodes",
    [
        (),
        (Node("add"), Node("x")),
        (Node("x"), Node("y")),
        (Node("log"), Node("x"), Node("y")),
        (Node("sinh"), Node("x")),
        (Node("power"), Node("x")),
        (Node("power", 2), Node("x")),
        (Node("power", math.nan), Node("x")),
        (Node("power", -1e8), Node("x")),
        (Node("constant", MAX_INTEGER + 1),),
        (Node("x", 3),),
    ],
)
def test_rejects_what_is_not_one_tree(nodes: tuple[Node, ...]) -> None:
    with pytest.raises(ExpressionError):
        LossTree(nodes)


def test_of_builds_a_tree_from_operands() -> None:
    x, y = LossTree.parse("x"), LossTree.parse("y")
    quotient = LossTree.of("divide", x, LossTree.of("square", y, coefficient=0.5))
    assert str(quotient) == "x / (0.5*y^2)"


def test_counts_nodes_and_edges() -> None:
    assert (BAIKAL.size, BAIKAL.depth, BAIKAL.nodes[0]) == (6, 2, Node("subtract"))
    assert LossTree.constant(-3).depth == 0


def test_operands_are_the_subtrees_under_the_root() -> None:
    assert [str(operand) for operand in BAIKAL.operands] == ["log(y)", "x / y"]


@given(loss_trees(), st.data())
def test_replacing_a_subtree_by_itself_changes_nothing(tree: LossTree, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, tree.size - 1))
    assert tree.replace(index, tree.subtree(index)) == tree


@given(loss_trees(), loss_trees(), st.data())
def test_a_replacement_is_found_where_it_was_put(tree: LossTree, other: LossTree, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, tree.size - 1))
    replaced = tree.replace(index, other)
    assert replaced.subtree(index) == other
    assert replaced.size == tree.size - tree.subtree(index).size + other.size


def test_coefficients_are_in_prefix_order() -> None:
    tree = BAIKAL.with_coefficients([1, 2, 3, 4, 5, 6])
    assert list(tree.coefficients) == [1, 2, 3, 4, 5, 6]
    assert str(tree) == "2.0*log(3.0*y) - 4.0*(5.0*x / (6.0*y))"


def test_a_wrong_number_of_coefficients_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="2 coefficients for a tree of 6 nodes"):
        BAIKAL.with_coefficients([1.0, 2.0])


def test_fold_gives_operands_from_left_to_right() -> None:
    text = BAIKAL.fold(lambda node, *operands: f"{node.operator}({', '.join(operands)})")
    assert text == "subtract(log(y()), divide(x(), y()))"


def test_fold_does_not_recurse() -> None:
    tree = LossTree((Node("sqrt"),) * 100_000 + (Node("y"),))
    assert tree.fold(lambda node, *operands: 1 + sum(operands)) == tree.size


def test_uses_tells_which_operators_occur() -> None:
    assert BAIKAL.uses("log")
    assert not BAIKAL.uses("sqrt")


@pytest.mark.parametrize("shape", DEEP)
def test_deep_trees_are_walked_without_recursion(shape: str) -> None:
    tree = DEEP[shape]
    again = pickle.loads(pickle.dumps(tree))
    assert again == tree
    assert hash(again) == hash(tree)
    assert tree.depth == 10_000
    assert len(str(tree)) > 10_000
    assert tree.subtree(tree.size - 1).size == 1
