"""Random nodes and random trees, weighted by the operator table."""

import numpy as np

from glojax.expressions.operators import OPERATORS, SAMPLED_INTEGERS, Node
from glojax.expressions.tree import LossTree


def random_node(rng: np.random.Generator, arity: int | None = None) -> Node:
    """Draw a node of an arity (None for any) with probability proportional to its operator's weight.

    The node has coefficient 1. A `constant` holds one of `SAMPLED_INTEGERS`, each equally likely.

    Source: Gonzalez and Miikkulainen (2020), section III-A; the weights are those of `OPERATORS`.
    """
    operators = [operator for operator in OPERATORS.values() if arity in (None, operator.arity)]
    weights = np.array([operator.weight for operator in operators])
    drawn = operators[rng.choice(len(operators), p=weights / weights.sum())].name
    if drawn == "constant":
        return Node(drawn, SAMPLED_INTEGERS[rng.integers(len(SAMPLED_INTEGERS))])
    return Node(drawn)


def random_tree(rng: np.random.Generator, max_depth: int) -> LossTree:
    """Grow a tree from the root, node by weighted-random node; at `max_depth` edges only leaves are drawn.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The paper's "depth of two" is read as two edges, so that
    `log(y) - x / y` can be drawn.
    """
    nodes: list[Node] = []
    open_depths = [0]  # depths of the nodes still to be drawn, the next one last
    while open_depths:
        depth = open_depths.pop()
        node = random_node(rng, arity=None if depth < max_depth else 0)
        nodes.append(node)
        open_depths += [depth + 1] * node.arity
    return LossTree(tuple(nodes))
