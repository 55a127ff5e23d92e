"""The choice between the best losses of a search, by trainings that the search has not seen."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from glojax.errors import GlojaxError
from glojax.evaluation import FITNESS_SPLIT, Evaluation, Evaluator, FitnessRule, evaluate
from glojax.expressions import LossTree, Origin, to_latex
from glojax.search.generations import Discovered
from glojax.search.loop import rank
from glojax.search.tuning import Tuned
from glojax.strategies import Constraint
from glojax.tasks import Metric


@dataclass(frozen=True)
class Finalist:
    """A loss function that was evaluated again with fresh seeds, at a rate of its own unless that is None."""

    tree: LossTree
    fitness: float | None
    mean_score: float | None
    scores: list[float]
    seeds: list[int]
    learning_rate: float | None = None
    origin: Origin | None = None

    @property
    def record(self) -> dict[str, Any]:
        """The finalist as a JSON object."""
        others = dict(vars(self))
        tree, origin = others.pop("tree"), others.pop("origin")
        if self.learning_rate is None:
            del others["learning_rate"]
        return {"expression": str(tree)} | others | ({} if origin is None else origin.record)

    @property
    def loss_record(self) -> dict[str, Any]:
        """The loss as a JSON object, without its single scores."""
        rate = {} if self.learning_rate is None else {"learning_rate": self.learning_rate}
        return {
            "expression": str(self.tree),
            "latex": to_latex(self.tree),
            "fitness": self.fitness,
            "mean_score": self.mean_score,
        } | rate


def select_discovered(found: Sequence[Discovered], num_finalists: int) -> list[Evaluation]:
    """Return the best losses that could be trained, the smallest for each fitness.

    Losses that differ in form alone, or only for soft labels, train alike and have the same fitness.
    """
    smallest = {one.fitness: one for one in reversed(trained([one.evaluation for one in found]))}
    return list(reversed(smallest.values()))[:num_finalists]


def trained(found: Sequence[Evaluation]) -> list[Evaluation]:
    """Return the losses that could be trained; raise GlojaxError if there are none."""
    if not (known := [one for one in found if one.fitness is not None]):
        raise GlojaxError(_nothing_trained(found))
    return known


def _nothing_trained(found: Sequence[Evaluation]) -> str:
    """Return why no loss was trained to the end, and what to do."""
    counts = Counter(one.rejected_by or one.status for one in found)
    whole = f"None of {len(found)} distinct losses could be trained to the end"
    if counts["non_finite"] > len(found) / 2:
        return f"{whole}, as {counts['non_finite']} diverged; lower --learning-rate, or scale inputs and targets."
    if counts["rung"] > len(found) / 2:
        return f"{whole}, as {counts['rung']} were rejected after a short training; give more --steps."
    return f"{whole}; raise --generations or --population-size."


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
    return sorted(_again(found, evaluator, seeds, own_rates=False), key=by_score(evaluator.metric))


def halve(found: Sequence[Evaluation], evaluator: Evaluator, seeds: Sequence[int]) -> list[Finalist]:
    """Return the best of many by fresh seeds, each at its own rate: those that stayed longest first.

    All are trained with a few seeds, the better half of them with twice as many, and so on, until two to four are
    trained with all of the seeds. So most trainings go to those that are hard to tell apart.

    Source: Karnin, Koren and Somekh (2013, Almost optimal exploration in multi-armed bandits): sequential halving.
    """
    key = by_score(evaluator.metric)
    finalists: list[Finalist] = []
    for number, num_seeds in halving_rounds(len(found), len(seeds)):
        again = _again(found[:number], evaluator, seeds[:num_seeds], own_rates=True)
        order = sorted(range(number), key=lambda index: key(again[index]))
        found = [found[index] for index in order]
        finalists = [*(again[index] for index in order), *finalists[number:]]
    return finalists


def halving_rounds(num_losses: int, num_seeds: int) -> list[tuple[int, int]]:
    """Return the number of losses, and of their seeds, in each round of a halving."""
    rounds = []
    for left in reversed(range(max(1, int(math.log2(num_losses))))):
        rounds.append((num_losses, max(1, num_seeds >> left)))
        num_losses = (num_losses + 1) // 2
    return rounds


def _again(
    found: Sequence[Evaluation], evaluator: Evaluator, seeds: Sequence[int], *, own_rates: bool
) -> list[Finalist]:
    """Evaluate losses again, in their order; at the rates at which they have their fitness, or the configured one."""
    rates = [one.learning_rate if own_rates else None for one in found]
    rules = [FitnessRule(tuple(seeds), None if rate is None else (rate,)) for rate in rates]
    evaluations = evaluate(evaluator, [one.tree for one in found], rules)
    finalists = []
    for one, again, rate in zip(found, evaluations, rates, strict=True):
        scores = again.scores(FITNESS_SPLIT)
        # Where a training that was not finite has no score, a loss has none unless all of its trainings end.
        mean = round(statistics.fmean(scores), 6) if len(scores) == len(seeds) else None
        finalists.append(Finalist(again.tree, one.fitness, mean, scores, list(seeds), rate, one.origin))
    return finalists


def by_score(metric: Metric) -> Callable[[Finalist], float]:
    """Return the sort key of finalists: the best mean score first, a missing one last."""
    sign = 1 if metric.lower_is_better else -1
    return lambda finalist: math.inf if finalist.mean_score is None else sign * finalist.mean_score
