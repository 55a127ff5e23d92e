"""Mutation: small random changes to a tree, from its leaves up to its root."""

import math
from itertools import chain
from typing import Final

import numpy as np

from glojax.expressions import MAX_INTEGER, OPERATORS, LossTree, Node
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.sampling import random_node, random_tree

#: Significant digits of a coefficient that was changed: few, as the fitness resolves no more, and the text stays short.
_NUM_DIGITS: Final = 2


def mutate(tree: LossTree, config: GeneticConfig, rng: np.random.Generator) -> LossTree:
    """Visit every node, operands before their operator, and change each with a small probability.

    At each node, these changes are drawn independently, in this order:

    1. an integer is incremented or decremented (`config.integer_step_rate`);
    2. the node is replaced by a random node of the same arity, if one is drawn (`config.same_arity_rate`);
    3. its coefficient is multiplied by the exponential of a standard normal number, and rounded to two significant
       digits (`config.coefficient_rate`);
    4. an operator and its operands are replaced by a random leaf (`config.collapse_rate`), or a leaf is replaced by a
       random node with random leaves as operands (`config.expand_rate`).

    `random_node` draws the new nodes; one may equal the node that it replaces. New nodes have coefficient 1 and are not
    visited. The mutated tree may be of any size.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The order of the draws, the limit of `MAX_INTEGER` on
    the magnitude of integers, and the change of coefficients are ours.
    """
    weights = config.operator_weights
    arities = {OPERATORS[name].arity for name in weights}

    def mutate_node(node: Node, *operands: tuple[Node, ...]) -> tuple[Node, ...]:
        if node.operator == "constant" and rng.random() < config.integer_step_rate:
            value = node.value + (1 if rng.random() < 0.5 else -1)
            node = node._replace(value=max(-MAX_INTEGER, min(MAX_INTEGER, value)))
        if rng.random() < config.same_arity_rate and node.arity in arities:
            node = random_node(rng, node.arity, weights)
        if config.coefficient_rate and rng.random() < config.coefficient_rate:
            coefficient = node.coefficient * math.exp(rng.standard_normal())
            node = node._replace(coefficient=float(f"{coefficient:.{_NUM_DIGITS}g}"))
        if operands and rng.random() < config.collapse_rate:
            return random_tree(rng, 0, weights).nodes
        if not operands and rng.random() < config.expand_rate:
            return random_tree(rng, 1, weights).nodes
        return (node, *chain.from_iterable(operands))

    return LossTree(tree.fold(mutate_node))
