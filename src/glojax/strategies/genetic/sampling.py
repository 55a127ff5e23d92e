"""Random nodes and random trees, weighted by the operators' weights."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from glojax.expressions.operators import OPERATORS, SAMPLED_VALUES, Node
from glojax.expressions.tree import LossTree
from glojax.strategies.genetic.config import PAPER_WEIGHTS


def random_node(
    rng: np.random.Generator, arity: int | None = None, weights: Mapping[str, float] = PAPER_WEIGHTS
) -> Node:
    """Draw a node of an arity (None for any), which one of the operators has, with probability proportional to weight.

    The node has coefficient 1. A `constant` or `power` holds one of its `SAMPLED_VALUES`, each equally likely.

    Source: Gonzalez and Miikkulainen (2020), section III-A, with its weights.
    """
    operators, cumulative = _table(arity, tuple(weights.items()))
    drawn = operators[cumulative.searchsorted(rng.random(), side="right")]
    if drawn in SAMPLED_VALUES:
        values = SAMPLED_VALUES[drawn]
        return Node(drawn, values[rng.integers(len(values))])
    return Node(drawn)


@lru_cache
def _table(arity: int | None, weights: tuple[tuple[str, float], ...]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the operators of an arity, and their cumulative probabilities, as `Generator.choice` computes them."""
    chosen = [(name, weight) for name, weight in weights if arity in (None, OPERATORS[name].arity)]
    chances = np.array([weight for _, weight in chosen])
    cumulative = np.cumsum(chances / chances.sum())
    return [name for name, _ in chosen], cumulative / cumulative[-1]


def random_tree(rng: np.random.Generator, max_depth: int, weights: Mapping[str, float] = PAPER_WEIGHTS) -> LossTree:
    """Grow a tree from the root, node by weighted-random node; at `max_depth` edges only leaves are drawn.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The paper's "depth of two" is read as two edges, so that
    `log(y) - x / y` can be drawn.
    """
    nodes: list[Node] = []
    open_depths = [0]  # depths of the nodes still to be drawn, the next one last
    while open_depths:
        depth = open_depths.pop()
        node = random_node(rng, None if depth < max_depth else 0, weights)
        nodes.append(node)
        open_depths += [depth + 1] * node.arity
    return LossTree(tuple(nodes))
