"""Random search: the control of every other strategy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glojax.expressions import LossTree
from glojax.strategies.genetic import Constraint, GeneticConfig, draw_trees, require_valid

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class RandomSearch:
    """Draws each candidate as the genetic algorithm draws its first population, and learns nothing.

    Selection is of use only if it finds better losses than this strategy with as many evaluations.

    Args:
        config: Uses `initial_depth` and `max_nodes`.
        seed: The seed of the drawing.
        initial: The first candidates, of any number.
        constraint: Says whether a tree may be a candidate; others are drawn again.

    Example:
        >>> [str(tree) for tree in RandomSearch(GeneticConfig(), seed=0, initial=[LossTree.parse("x * y")]).ask(1)]
        ['x * y']
    """

    def __init__(
        self,
        config: GeneticConfig,
        seed: int,
        *,
        initial: Sequence[LossTree] = (),
        constraint: Constraint = lambda tree: True,
    ):
        require_valid(initial, config, constraint)
        self._config = config
        self._rng = np.random.default_rng(seed)
        self._initial = list(initial)
        self._constraint = constraint

    def ask(self, room: int) -> list[LossTree]:
        """Return `room` candidates."""
        first, self._initial = self._initial[:room], self._initial[room:]
        # One at a time, so that the number of draws for each is limited as if it were asked for alone.
        return first + [draw_trees(self._config, self._rng, 1, self._constraint)[0] for _ in range(room - len(first))]

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Ignore the evaluation."""
