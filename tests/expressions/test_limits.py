"""Texts and trees from hell: an answer at once, and nothing that recurses."""

import contextlib
import pickle
import time

import pytest

from glojax.errors import ExpressionError
from glojax.expressions import MAX_INTEGER, MAX_NODES, LossTree, Node, canonical, to_latex
from glojax.expressions.bounds import node_bounds
from glojax.expressions.tokens import MAX_TEXT_LENGTH, MAX_TOKENS

#: The number of most characters, negative, and no fraction of a power of ten.
LONGEST = -2.2250738585072014e-308

TREES = {
    "depth 999": "log(" * (MAX_NODES - 1) + "x" + ")" * (MAX_NODES - 1),
    "sum": "x+" * (MAX_NODES // 2 - 1) + "x",
    "signs": "-" * (MAX_NODES // 2 - 1) + "x",
    "parentheses": "(" * (MAX_TOKENS // 2 - 1) + "x" + ")" * (MAX_TOKENS // 2 - 1),
    "right": "x-(" * (MAX_NODES // 2 - 1) + "x" + ")" * (MAX_NODES // 2 - 1),
    "coefficients": "1.5*" * 1_000 + "x",
    "spaces": " " * (MAX_TEXT_LENGTH - 1) + "x",
    "zeros": "0" * MAX_TEXT_LENGTH,
    "decimals": "0." + "1" * (MAX_TEXT_LENGTH - 2),
}
ERRORS = {
    "empty": "",
    "depth 10,000": "log(" * 10_000 + "x" + ")" * 10_000,
    "a million nodes": "x+" * 999_999 + "x",
    "a node too many": "-" * (MAX_NODES // 2) + "x",
    "signs": "-" * 30_000 + "x",
    "exponents": "((" * 1_000 + "x" + ")^2)^2" * 1_000,
    "open parentheses": "(" * MAX_TEXT_LENGTH,
    "closed parentheses": "x" + ")" * (MAX_TOKENS - 1),
    "parentheses": "(" * (MAX_TOKENS // 2) + "x" + ")" * (MAX_TOKENS // 2),
    "integer": "9" * 10_000,
    "integers": " + ".join(["9" * 10] * 1_000),
    "exponent": "1e" + "9" * 10_000 + "*x",
    "look-alikes": "\N{CYRILLIC SMALL LETTER HA}" * 10_000,
    "names": "_" * MAX_TEXT_LENGTH,
    "an error at the end": "((((x)))) + " * 700 + "z",
}


def best_seconds(text: str) -> float:
    """Of three readings, since the machine may be busy."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        with contextlib.suppress(ExpressionError):
            LossTree.parse(text)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize("shape", TREES)
def test_texts_within_the_limits_are_trees(shape: str, low_recursion_limit: None) -> None:
    assert LossTree.parse(TREES[shape]).size <= MAX_NODES
    assert best_seconds(TREES[shape]) < 0.05


@pytest.mark.parametrize("shape", ERRORS)
def test_texts_beyond_them_are_errors_at_once(shape: str, low_recursion_limit: None) -> None:
    with pytest.raises(ExpressionError) as caught:
        LossTree.parse(ERRORS[shape])
    assert len(str(caught.value)) < 300
    assert best_seconds(ERRORS[shape]) < 0.05


def test_the_largest_tree_that_is_read_has_a_thousand_nodes() -> None:
    assert LossTree.parse("-" * 499 + "sqrt(x)").size == 1_000
    with pytest.raises(ExpressionError, match="too large; expected at most 1,000 names, numbers and operators"):
        LossTree.parse("-" * 500 + "x")


LARGEST = {
    "squares of logarithms": (Node("square"), Node("log")) * (MAX_NODES // 2 - 1) + (Node("square"), Node("y")),
    "roots": (Node("sqrt"),) * (MAX_NODES - 1) + (Node("x"),),
    "right quotients": (Node("divide"), Node("constant", -MAX_INTEGER)) * (MAX_NODES // 2 - 1)
    + (Node("log"), Node("y")),
    "left products": (Node("multiply"),) * (MAX_NODES // 2 - 1) + (Node("constant", -MAX_INTEGER),) * (MAX_NODES // 2),
    "sums of squares": (Node("subtract"), Node("square"), Node("constant", 1)) * (MAX_NODES // 3) + (Node("y"),),
}


@pytest.mark.parametrize("coefficient", [1.0, -1.5, LONGEST])
@pytest.mark.parametrize("shape", LARGEST)
def test_the_largest_trees_are_read_back_whatever_their_coefficients(
    shape: str, coefficient: float, low_recursion_limit: None
) -> None:
    tree = LossTree(LARGEST[shape])
    tree = tree.with_coefficients([coefficient] * tree.size)
    assert LossTree.parse(str(tree)) == tree
    assert tree.fold(node_bounds).lower <= tree.fold(node_bounds).upper
    assert to_latex(tree).count("{") == to_latex(tree).count("}")


def test_a_million_nodes_are_counted_compared_and_sent_to_another_process(low_recursion_limit: None) -> None:
    """Such a tree comes from no text, but can be built."""
    tree = LossTree((Node("sqrt"),) * 999_999 + (Node("y"),))
    again = pickle.loads(pickle.dumps(tree))
    assert again == tree
    assert hash(again) == hash(tree)
    assert canonical(tree) is tree
