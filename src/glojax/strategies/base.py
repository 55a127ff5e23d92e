"""The interface of a search strategy."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree, Origin

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


#: Says whether a tree may be a candidate.
Constraint = Callable[[LossTree], bool]


class Strategy(Protocol):
    """Decides which candidates are evaluated next.

    A strategy is deterministic: equal calls in an equal order give equal candidates, and asking for n candidates is the
    same as asking n times for one. It keeps no files: an interrupted search repeats its calls.
    """

    def ask(self, room: int) -> Sequence[LossTree]:
        """Return the next candidates, at most `room`, which is at least 1.

        None at all means that the strategy waits for evaluations or, if none is outstanding, has come to its end.
        """

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn the evaluation of a candidate that `ask` returned; the fitness is None if it is unknown.

        Raises:
            ConfigurationError: The strategy keeps track of its candidates, and this one is not outstanding.
        """


@runtime_checkable
class Traceable(Protocol):
    """A strategy that knows how its candidates were made."""

    def origin_of(self, tree: LossTree) -> Origin:
        """Return how a candidate that `ask` returned was made; of equal candidates, how the first one was."""


class Batch:
    """Candidates [B] that a strategy asks for one after the other, and whose evaluations it needs together.

    Equal candidates are evaluated separately.
    """

    def __init__(self, trees: Sequence[LossTree]):
        self.trees = tuple(trees)
        self._num_asked = 0
        self._outstanding: dict[LossTree, deque[int]] = {}
        self._evaluations: dict[int, Evaluation] = {}

    @property
    def is_complete(self) -> bool:
        """Whether all candidates are evaluated."""
        return len(self._evaluations) == len(self.trees)

    @property
    def evaluations(self) -> "list[Evaluation]":
        """The evaluations [B] of a complete batch, in the order of the candidates."""
        return [self._evaluations[index] for index in range(len(self.trees))]

    def ask(self, room: int) -> tuple[LossTree, ...]:
        """Return the next candidates, at most `room`."""
        asked = self.trees[self._num_asked : self._num_asked + room]
        for index, tree in enumerate(asked, start=self._num_asked):
            self._outstanding.setdefault(tree, deque()).append(index)
        self._num_asked += len(asked)
        return asked

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Keep the evaluation of a candidate, the first of equal ones."""
        if not self._outstanding.get(tree):
            raise not_outstanding(tree)
        self._evaluations[self._outstanding[tree].popleft()] = evaluation


def require_constraint(initial: Sequence[LossTree], constraint: Constraint) -> None:
    """Raise ConfigurationError if an initial candidate does not meet the constraint."""
    for tree in initial:
        if not constraint(tree):
            raise ConfigurationError(f"The initial loss {tree} does not meet the constraint; leave it out.")


def not_outstanding(tree: LossTree) -> ConfigurationError:
    """Return the error of a candidate that is told to a strategy which does not wait for it."""
    return ConfigurationError(
        f"A strategy was told the evaluation of {tree}, which is not outstanding; tell each candidate that `ask` "
        "returned, once."
    )
