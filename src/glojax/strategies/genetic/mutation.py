"""Mutation: small random changes to a tree, from its leaves up to its root."""

from itertools import chain

import numpy as np

from glojax.expressions import MAX_INTEGER, LossTree, Node
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.sampling import random_node, random_tree


def mutate(tree: LossTree, config: GeneticConfig, rng: np.random.Generator) -> LossTree:
    """Visit every node, operands before their operator, and change each with a small probability.

    At each node, these changes are drawn independently, in this order:

    1. an integer is incremented or decremented (`config.integer_step_rate`);
    2. the node is replaced by a random node of the same arity (`config.same_arity_rate`);
    3. an operator and its operands are replaced by a random leaf (`config.collapse_rate`), or a leaf is replaced by a
       random node with random leaves as operands (`config.expand_rate`).

    `random_node` draws the new nodes; one may equal the node that it replaces. New nodes are not visited.

    Args:
        tree: The tree.
        config: The four rates.
        rng: Source of randomness.

    Returns:
        The mutated tree, of any size. New nodes have coefficient 1.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The order of the draws, and the limit of `MAX_INTEGER` on
    the magnitude of integers, are ours.

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
    """Return the integer leaf that is one higher or one lower."""
    value = node.value + (1 if rng.random() < 0.5 else -1)
    return node._replace(value=max(-MAX_INTEGER, min(MAX_INTEGER, value)))
