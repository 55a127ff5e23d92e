"""Mutation: small random changes to a tree, from its leaves up to its root."""

from itertools import chain

import numpy as np

from glojax.expressions.nodes import Node
from glojax.expressions.operators import MAX_INTEGER
from glojax.expressions.tree import LossTree
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.sampling import random_node, random_tree


def mutate(tree: LossTree, config: GeneticConfig, rng: np.random.Generator) -> LossTree:
    """Visit every node, operands before their operator, and change each with small probability.

    At each node, these are drawn independently and in this order:

    1. an integer moves by +1 or -1 (`config.integer_step_rate`);
    2. the node becomes a weighted-random one of the same arity (`config.same_arity_rate`);
    3. an operator, with all its operands, becomes a weighted-random leaf (`config.collapse_rate`), or a leaf becomes a
       weighted-random element with weighted-random leaves as operands (`config.expand_rate`).

    A random node may be the very one that it replaces. What a mutation has just grown is not visited again.

    Args:
        tree: The tree to change; it stays as it is.
        config: The four rates.
        rng: Source of randomness.

    Returns:
        The mutated tree, of any size. New nodes have coefficient 1.

    Source: Gonzalez and Miikkulainen (2020), section III-A. Ours: the order of the draws, and that integers stop at
    `MAX_INTEGER`.

    Example:
        >>> still = GeneticConfig(integer_step_rate=0, same_arity_rate=0, collapse_rate=0, expand_rate=0)
        >>> mutate(LossTree.constant(3), still, np.random.default_rng(0)) == LossTree.constant(3)
        True
    """

    def mutate_node(node: Node, *operands: tuple[Node, ...]) -> tuple[Node, ...]:
        if node.operator == "constant" and rng.random() < config.integer_step_rate:
            node = _step_integer(node, rng)
        if rng.random() < config.same_arity_rate:
            node = random_node(rng, arity=node.arity)
        if operands and rng.random() < config.collapse_rate:
            return random_tree(rng, max_depth=0).nodes
        if not operands and rng.random() < config.expand_rate:
            return random_tree(rng, max_depth=1).nodes
        return (node, *chain.from_iterable(operands))

    return LossTree(tree.fold(mutate_node))


def _step_integer(node: Node, rng: np.random.Generator) -> Node:
    """The same integer leaf, one higher or one lower."""
    value = node.value + (1 if rng.random() < 0.5 else -1)
    return node._replace(value=max(-MAX_INTEGER, min(MAX_INTEGER, value)))
