"""The choice between the best losses of a search, by trainings that the search has not seen."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from glojax.errors import GlojaxError
from glojax.evaluation import FITNESS_SPLIT, Evaluation, Evaluator, FitnessRule, evaluate
from glojax.expressions import LossTree, to_latex
from glojax.search.generations import Discovered
from glojax.search.loop import rank
from glojax.search.tuning import Tuned
from glojax.strategies import Constraint
from glojax.tasks import Metric


@dataclass(frozen=True)
class Finalist:
    """A loss function that was evaluated again with fresh seeds."""

    tree: LossTree
    fitness: float | None
    mean_score: float | None
    scores: list[float]
    seeds: list[int]

    @property
    def record(self) -> dict[str, Any]:
        """The finalist as a JSON object."""
        return {"expression": str(self.tree)} | {name: value for name, value in vars(self).items() if name != "tree"}

    @property
    def loss_record(self) -> dict[str, Any]:
        """The loss as a JSON object, without its single scores."""
        return {
            "expression": str(self.tree),
            "latex": to_latex(self.tree),
            "fitness": self.fitness,
            "mean_score": self.mean_score,
        }


def select_discovered(found: Sequence[Discovered], num_finalists: int) -> list[Evaluation]:
    """Return the best losses that could be trained, the smallest for each fitness.

    Losses that differ in form alone, or only for soft labels, train alike and have the same fitness.
    """
    trained = [one.evaluation for one in found if one.evaluation.fitness is not None]
    if not trained:
        raise GlojaxError(
            f"None of {len(found)} distinct losses could be trained to the end; raise --generations or "
            "--population-size."
        )
    smallest = {one.fitness: one for one in reversed(trained)}
    return list(reversed(smallest.values()))[:num_finalists]


def select_tuned(
    tuned: Sequence[Tuned], num_finalists: int, constraint: Constraint = lambda tree: True
) -> list[Evaluation]:
    """Return the best members that meet the constraint, of all losses that were tuned.

    Of equally fit ones those of the latest generation come first.
    """
    members = [one for loss in tuned for one in loss.found if one.fitness is not None]
    found = {one.tree: one for one in members if constraint(one.tree)}
    return sorted(found.values(), key=lambda one: rank(one)[0])[:num_finalists]


def choose(found: Sequence[Evaluation], evaluator: Evaluator, seeds: Sequence[int]) -> list[Finalist]:
    """Evaluate the best again with fresh seeds; return them by mean validation score, the best first.

    The search's own best is the luckiest of many trainings with one seed. The paper does not describe this step.
    """
    evaluations = evaluate(evaluator, [one.tree for one in found], FitnessRule(tuple(seeds)))
    finalists = []
    for one, again in zip(found, evaluations, strict=True):
        scores = again.scores(FITNESS_SPLIT)
        mean = round(statistics.fmean(scores), 6) if scores else None
        finalists.append(Finalist(again.tree, one.fitness, mean, scores, list(seeds)))
    return sorted(finalists, key=by_score(evaluator.metric))


def by_score(metric: Metric) -> Callable[[Finalist], float]:
    """Return the sort key of finalists: the best mean score first, a missing one last."""
    sign = 1 if metric.lower_is_better else -1
    return lambda finalist: math.inf if finalist.mean_score is None else sign * finalist.mean_score
