"""Crossover: two trees swap subtrees."""

import numpy as np

from glojax.expressions import LossTree


def crossover(first: LossTree, second: LossTree, rng: np.random.Generator) -> tuple[LossTree, LossTree]:
    """Swap two subtrees whose roots are drawn uniformly, one among the nodes of each parent.

    Args:
        first: One parent.
        second: The other parent; may be the same tree.
        rng: Source of randomness.

    Returns:
        Two children: `first` with the subtree of `second`, and `second` with the subtree of `first`. Together they have
        exactly the parents' nodes.

    Source: Gonzalez and Miikkulainen (2020), section III-A and figure 1.

    Example:
        >>> x, y = LossTree.of("x"), LossTree.of("y")
        >>> crossover(x, y, np.random.default_rng(0)) == (y, x)
        True
    """
    first_point = int(rng.integers(first.size))
    second_point = int(rng.integers(second.size))
    return (
        first.replace(first_point, second.subtree(second_point)),
        second.replace(second_point, first.subtree(first_point)),
    )
