"""The interface of a search strategy."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class Strategy(Protocol):
    """Decides which candidates are evaluated next.

    A strategy is deterministic: equal calls in an equal order give equal candidates, and to ask for n candidates is the
    same as to ask n times for one. It keeps no files: an interrupted search repeats its calls.
    """

    def ask(self, room: int) -> Sequence[LossTree]:
        """Return the next candidates.

        Args:
            room: The greatest number of candidates, at least 1.

        Returns:
            At most `room` candidates. None at all means that the strategy waits for evaluations or, if none is
            outstanding, that it has come to its end.
        """

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn the evaluation of a candidate.

        Args:
            tree: A candidate as `ask` returned it.
            evaluation: Its evaluation; the fitness may be None, for unknown.
        """


class Batch:
    """Candidates that are handed out one after the other, and whose evaluations a strategy needs together.

    Args:
        trees: The candidates; equal ones are evaluated each by itself.
    """

    def __init__(self, trees: Sequence[LossTree]):
        self.trees = tuple(trees)
        self._evaluations: dict[int, Evaluation] = {}
        self._num_asked = 0
        self._open: dict[LossTree, deque[int]] = {}

    @property
    def is_complete(self) -> bool:
        """Whether all candidates are evaluated."""
        return len(self._evaluations) == len(self.trees)

    @property
    def evaluations(self) -> "list[Evaluation]":
        """The evaluations so far, in the order of the candidates."""
        return [self._evaluations[index] for index in sorted(self._evaluations)]

    def ask(self, room: int) -> tuple[LossTree, ...]:
        """Return the next candidates, at most `room`."""
        asked = self.trees[self._num_asked : self._num_asked + room]
        for index, tree in enumerate(asked, start=self._num_asked):
            self._open.setdefault(tree, deque()).append(index)
        self._num_asked += len(asked)
        return asked

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> int:
        """Keep the evaluation of a candidate, the first of equal ones; return its index.

        Raises:
            ConfigurationError: The candidate is not outstanding.
        """
        if not self._open.get(tree):
            raise ConfigurationError(f"{tree} was told to a strategy that does not wait for it; tell what `ask` gave.")
        index = self._open[tree].popleft()
        self._evaluations[index] = evaluation
        return index
