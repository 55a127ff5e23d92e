"""Canonical forms of deep and large trees."""

import time

import pytest

from glojax.expressions import MAX_NODES, LossTree, Node, canonical

DEEP = {
    "roots": (Node("sqrt"),) * (MAX_NODES - 1) + (Node("y"),),
    "squares": (Node("square"),) * (MAX_NODES - 1) + (Node("y"),),
    "left sums": (Node("add"),) * (MAX_NODES // 2 - 1) + (Node("y"),) * (MAX_NODES // 2),
    "right differences": (Node("subtract"), Node("y")) * (MAX_NODES // 2 - 1) + (Node("x"),),
    "right quotients": (Node("divide"), Node("x")) * (MAX_NODES // 2 - 1) + (Node("y"),),
    "signs": (Node("multiply"), Node("constant", -1)) * (MAX_NODES // 2 - 1) + (Node("y"),),
    "nested sums": (Node("add"), Node("x"), Node("multiply"), Node("y")) * (MAX_NODES // 4 - 1) + (Node("x"),),
    "coefficients": (Node("log", 0, 0.5),) * (MAX_NODES - 1) + (Node("y"),),
}


@pytest.mark.parametrize("shape", DEEP)
def test_deep_trees_have_canonical_forms_without_recursion(shape: str, low_recursion_limit: None) -> None:
    once = canonical(LossTree(DEEP[shape]))
    assert once.size <= MAX_NODES
    assert canonical(once) == once


def test_larger_trees_stay_as_they_are() -> None:
    tree = LossTree((Node("add"),) * (MAX_NODES // 2) + (Node("y"),) * (MAX_NODES // 2 + 1))
    assert canonical(tree) == tree
    assert str(canonical(tree.subtree(1))) == f"{MAX_NODES // 2} * y"


def test_powers_of_powers_that_would_grow_without_end_are_not_simplified() -> None:
    """A power with an exponent of 31 holds its base twice here and five times when it is simplified."""
    text = "log(2 + y)"
    sizes = []
    for _ in range(5):
        text = f"log(2 + log(2 + ((((({text})^2)^2)^2)^2)^2 / ({text})))"
        sizes.append((LossTree.parse(text).size, canonical(LossTree.parse(text)).size))
    assert sizes[0][1] > sizes[0][0]
    assert sizes[-1][1] == sizes[-1][0] > MAX_NODES / 5**3


def test_a_sum_of_many_fractions_is_simplified_in_time() -> None:
    sums = [f"(x / {n + 2} + y / {n + 3} + log(x) / {n + 4}) * (x + {n})" for n in range(0, 174, 3)]
    tree = LossTree.parse(" + ".join(sums))
    start = time.process_time()
    assert MAX_NODES - 20 < canonical(tree).size < MAX_NODES
    assert time.process_time() - start < 0.7
