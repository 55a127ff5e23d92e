"""The choice between the best losses of a search, by trainings that the search has not seen."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glojax.errors import GlojaxError
from glojax.evaluation import Evaluation, Evaluator
from glojax.expressions import LossTree
from glojax.search.discovery import Discovered
from glojax.search.tuning import Tuned


@dataclass(frozen=True)
class Finalist:
    """A loss function that was trained again with fresh seeds.

    Attributes:
        expression: The function in canonical form.
        fitness: What the search gave it.
        mean_accuracy: Mean of `accuracies`.
        accuracies: Validation accuracy for each fresh seed.
        seeds: The seeds.
    """

    expression: str
    fitness: float
    mean_accuracy: float
    accuracies: list[float]
    seeds: list[int]

    @property
    def tree(self) -> LossTree:
        """The function."""
        return LossTree.parse(self.expression)


def select_discovered(found: Sequence[Discovered], num_finalists: int) -> list[Evaluation]:
    """The best losses that could be trained, the smallest for each fitness.

    Losses that differ in form alone, or only for soft labels, train alike and have the same fitness: one stands for
    all of them.

    Args:
        found: In the search's order: the best first, of equally fit ones the smallest.
        num_finalists: How many at most.

    Raises:
        GlojaxError: No loss has a fitness above 0.
    """
    trained = [one for one in found if one.evaluation.fitness > 0]
    if not trained:
        raise GlojaxError(
            f"None of {len(found)} distinct losses could be trained to the end; "
            "raise --generations or --population-size."
        )
    smallest = {one.evaluation.fitness: one for one in reversed(trained)}
    return [one.evaluation for one in reversed(smallest.values())][:num_finalists]


def select_tuned(tuned: Sequence[Tuned], num_finalists: int) -> list[Evaluation]:
    """The best members of all losses that were tuned; of equally fit ones the latest, which the search had moved to.

    Args:
        tuned: What tuning gave.
        num_finalists: How many at most; fewer where fewer could be trained.
    """
    found = {one.expression: one for loss in tuned for one in loss.found if one.fitness > 0}
    return sorted(found.values(), key=lambda one: -one.fitness)[:num_finalists]


def choose(
    found: Sequence[Evaluation],
    evaluator: Evaluator,
    seeds: Sequence[int],
    *,
    on_training: Callable[[int], None] = lambda steps: None,
) -> list[Finalist]:
    """Train the best again with fresh seeds, and order them by mean validation accuracy, the best first.

    The search's own best is the luckiest of many trainings with one seed: with another it may do worse, or fail. The
    paper says nothing of this step.

    Args:
        found: The finalists, in the search's order, which decides between equals.
        evaluator: Trains them.
        seeds: Seeds that the search has not used.
        on_training: Called with the steps of each training when it is done.
    """
    trees = [LossTree.parse(one.expression) for one in found]
    finalists = []
    for one, accuracies in zip(found, evaluator.confirm(trees, seeds, on_training), strict=True):
        # float32 to the nearest number of six decimals, finer than any split's resolution.
        values = [round(float(accuracy), 6) for accuracy in accuracies]
        mean = round(statistics.fmean(values), 6)
        finalists.append(Finalist(one.expression, one.fitness, mean, values, list(seeds)))
    return sorted(finalists, key=lambda finalist: -finalist.mean_accuracy)
