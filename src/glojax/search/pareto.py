"""The Pareto front of losses: size against fitness."""

from collections.abc import Iterable

from glojax.evaluation import Evaluation


def pareto_front(evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """Return the losses that are fitter than all others of at most their size, the smallest first.

    Of equally fit losses of one size the first is returned; losses without a known fitness are left out.
    """
    front: list[Evaluation] = []
    best = float("-inf")
    known = [(one.tree.size, one.fitness, one) for one in evaluations if one.fitness is not None]
    for _, fitness, one in sorted(known, key=lambda each: (each[0], -each[1])):
        if fitness > best:
            best = fitness
            front.append(one)
    return front
