"""Crossover: two trees swap subtrees."""

import numpy as np

from glojax.expressions import LossTree


def crossover(first: LossTree, second: LossTree, rng: np.random.Generator) -> tuple[LossTree, LossTree]:
    """Swap two subtrees whose roots are drawn uniformly, one among the nodes of each parent.

    Source: Gonzalez and Miikkulainen (2020), section III-A and figure 1.
    """
    first_point, second_point = int(rng.integers(first.size)), int(rng.integers(second.size))
    return (
        first.replace(first_point, second.subtree(second_point)),
        second.replace(second_point, first.subtree(first_point)),
    )
