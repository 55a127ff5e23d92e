"""Random drawing: the control of every search."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from glojax.expressions import LossTree
from glojax.strategies.genetic import GeneticConfig, draw_trees

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class RandomSearch:
    """Draws candidates as the first generation of the genetic algorithm is drawn, and learns nothing.

    A search that is no better than this one, with as many evaluations, owes nothing to selection.

    Args:
        config: Uses `initial_depth` and `max_nodes`.
        seed: The seed of the drawing.
        initial: Candidates that come first.
        constraint: Says whether a drawn candidate may be evaluated; others are drawn again.

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
        constraint: Callable[[LossTree], bool] = lambda tree: True,
    ):
        self._config = config
        self._rng = np.random.default_rng(seed)
        self._initial = list(initial)
        self._constraint = constraint

    def ask(self, room: int) -> list[LossTree]:
        """Return `room` new candidates.

        Raises:
            ConfigurationError: Hardly any drawn tree is small enough and meets the constraint.
        """
        first, self._initial = self._initial[:room], self._initial[room:]
        number = room - len(first)
        return [*first, *(draw_trees(self._config, self._rng, 1, self._constraint)[0] for _ in range(number))]

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn nothing."""
