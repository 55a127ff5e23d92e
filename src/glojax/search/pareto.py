"""The Pareto front of losses: size against fitness."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from glojax.expressions import LossTree


class Candidate(Protocol):
    """A loss, and its fitness if that is known."""

    @property
    def tree(self) -> LossTree:
        """The loss."""

    @property
    def fitness(self) -> float | None:
        """Higher is better."""


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def pareto_front(candidates: Iterable[AnyCandidate]) -> list[AnyCandidate]:
    """Return the losses that are fitter than all others of at most their size, the smallest first.

    Of equally fit losses of one size the first is returned; losses without a known fitness are left out.
    """
    front: list[AnyCandidate] = []
    best = float("-inf")
    known = [(one.tree.size, one.fitness, one) for one in candidates if one.fitness is not None]
    for _, fitness, one in sorted(known, key=lambda each: (each[0], -each[1])):
        if fitness > best:
            best = fitness
            front.append(one)
    return front
