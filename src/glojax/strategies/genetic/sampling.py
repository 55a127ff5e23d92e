"""Random nodes and random trees, weighted by the operator table."""

import numpy as np

from glojax.expressions.nodes import Node
from glojax.expressions.operators import OPERATORS, SAMPLED_INTEGERS
from glojax.expressions.tree import LossTree


def random_node(rng: np.random.Generator, arity: int | None = None) -> Node:
    """Draw a node with probability proportional to its operator's weight.

    Args:
        rng: Source of randomness.
        arity: Number of operands that the node must have (0, 1 or 2); None draws from all operators.

    Returns:
        A node with coefficient 1. A `constant` holds one of `SAMPLED_INTEGERS`, each equally likely.

    Source: Gonzalez and Miikkulainen (2020), section III-A; the weights are those of `OPERATORS`.
    """
    operators = [operator for operator in OPERATORS.values() if arity in (None, operator.arity)]
    weights = np.array([operator.weight for operator in operators])
    drawn = operators[rng.choice(len(operators), p=weights / weights.sum())].name
    if drawn == "constant":
        return Node(drawn, SAMPLED_INTEGERS[rng.integers(len(SAMPLED_INTEGERS))])
    return Node(drawn)


def random_tree(rng: np.random.Generator, max_depth: int) -> LossTree:
    """Grow a tree from the root, node by weighted-random node.

    Args:
        rng: Source of randomness.
        max_depth: Greatest depth in edges, at least 0. At this depth only leaves are drawn, so 0 gives a leaf alone.

    Returns:
        A tree with `0 <= depth <= max_depth`.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The paper's "depth of two" is read as two edges, so that
    `log(y) - x / y` can be drawn.

    Example:
        >>> tree = random_tree(np.random.default_rng(0), max_depth=2)
        >>> tree.depth <= 2
        True
    """
    nodes: list[Node] = []
    open_depths = [0]  # depths of the places still to be filled, the next one last
    while open_depths:
        depth = open_depths.pop()
        node = random_node(rng, arity=None if depth < max_depth else 0)
        nodes.append(node)
        open_depths += [depth + 1] * node.arity
    return LossTree(tuple(nodes))
