"""Random search: the control of every other strategy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glojax.expressions import LossTree
from glojax.strategies.genetic import GeneticStrategy, OutOfCandidatesError, draw_trees, require_valid

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class RandomSearch(GeneticStrategy):
    """Draws each candidate as the genetic algorithm draws its first population, and learns nothing.

    Selection is of use only if it finds better losses than this strategy with as many evaluations.

    Examples:
        >>> from glojax import GeneticConfig
        >>> [str(tree) for tree in RandomSearch(GeneticConfig(), seed=0, initial=[LossTree.parse("x * y")]).ask(1)]
        ['x * y']
    """

    def _start(self, initial: Sequence[LossTree]) -> None:
        require_valid(initial, self._config, self._constraint)
        self._initial = list(initial)
        self._has_asked = False

    def ask(self, room: int) -> list[LossTree]:
        """Return `room` candidates, or fewer if many draws in a row gave none."""
        asked, self._initial = self._initial[:room], self._initial[room:]
        while len(asked) < room and not self._is_at_end:
            try:
                # One at a time, so that the number of draws for each is limited as if it were asked for alone.
                asked += draw_trees(self._config, self._rng, 1, self._constraint)
            except OutOfCandidatesError as error:
                if not (asked or self._has_asked):
                    raise
                self._end(error)
        self._has_asked |= bool(asked)
        return asked

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Ignore the evaluation."""
