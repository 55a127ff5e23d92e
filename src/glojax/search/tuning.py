"""Tuning: CMA-ES over the coefficients of several losses at once, one shared population a generation."""

import hashlib
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from glojax.coefficients import CmaEs, CoefficientLayout, TuningConfig
from glojax.evaluation import Evaluation, Evaluator
from glojax.expressions import LossTree


@dataclass(frozen=True)
class TuningRecord:
    """What became of one loss in one generation.

    Attributes:
        generation: Its number, from 1.
        loss: The loss as tuning began.
        best_fitness: Highest fitness in this generation.
        median_fitness: Median fitness of its members.
        best_so_far: Highest fitness up to now, that of the untuned loss included.
        best_expression: The loss that has it.
        sigma: Step size of the next generation.
        condition_number: Of the covariance matrix of the next generation.
        trained: Members trained to the end.
        non_finite: Members whose training was not finite.
        crashed: Members that ended three workers of a cluster.
        cached: Members known before, or equal to another of this generation.
        candidate_steps: SGD steps taken.
        seconds: Wall time of the generation, which all losses under tuning share.
        stop_reason: Why the tuning of this loss ended here; None where it went on.
    """

    generation: int
    loss: str
    best_fitness: float
    median_fitness: float
    best_so_far: float
    best_expression: str
    sigma: float
    condition_number: float
    trained: int
    non_finite: int
    crashed: int
    cached: int
    candidate_steps: int
    seconds: float
    stop_reason: str | None


@dataclass(frozen=True)
class Tuned:
    """A loss after tuning.

    Attributes:
        loss: The loss as tuning began, as text.
        start: Its evaluation.
        best: The best evaluation ever made of it, with whatever coefficients; `start` where none was better.
        found: Every distinct evaluation of a member, the best first; of equals the latest, which is nearest to where
            the search went.
        num_coefficients: How many were tuned.
        generations: Generations that it took part in.
        stop_reason: Why it ended.
    """

    loss: str
    start: Evaluation
    best: Evaluation
    found: list[Evaluation]
    num_coefficients: int
    generations: int
    stop_reason: str


@dataclass
class _Task:
    """One loss under tuning."""

    layout: CoefficientLayout
    strategy: CmaEs
    start: Evaluation
    found: dict[str, Evaluation] = field(default_factory=dict)

    @property
    def best(self) -> Evaluation:
        return max([self.start, *self.found.values()], key=lambda one: one.fitness)


def tune(
    trees: Sequence[LossTree],
    evaluator: Evaluator,
    config: TuningConfig,
    seed: int,
    *,
    on_evaluation: Callable[[Evaluation, int], None] = lambda evaluation, generation: None,
    on_record: Callable[[TuningRecord], None] = lambda record: None,
) -> list[Tuned]:
    """Tune the coefficients of losses.

    The members of all losses train as one population, whatever their numbers of coefficients. What happens to a loss
    does not depend on the others.

    Args:
        trees: The losses, with the coefficients to start from.
        evaluator: Gives members their fitness.
        config: Of the evolution strategy; each loss has one of its own.
        seed: Of the members.
        on_evaluation: Called with each evaluation as it is made, and the number of its generation; 0 for the losses as
            they are.
        on_record: Called at the end of each generation for each loss that took part.

    Returns:
        One for each tree, in order.

    Raises:
        ConfigurationError: A tree lacks x or y, or has a coefficient that is not finite.
    """
    layouts = [CoefficientLayout.of(tree, config.coefficients) for tree in trees]
    starts = evaluator.evaluate(trees, lambda evaluation: on_evaluation(evaluation, 0))
    tasks = [
        _Task(layout, CmaEs(layout.vector, config, _member_seed(seed, layout.tree)), start)
        for layout, start in zip(layouts, starts, strict=True)
    ]
    generation = 0
    while active := [task for task in tasks if task.strategy.stop_reason is None]:
        generation += 1

        def report(evaluation: Evaluation, generation: int = generation) -> None:
            on_evaluation(evaluation, generation)

        begin = time.perf_counter()
        members = [[task.layout.tree_of(member) for member in task.strategy.ask()] for task in active]
        evaluations = iter(evaluator.evaluate([tree for trees in members for tree in trees], report))
        own = [[next(evaluations) for _ in trees] for trees in members]
        for task, mine in zip(active, own, strict=True):
            task.strategy.tell([one.fitness if one.fitness > 0 else float("nan") for one in mine])
            for one in mine:
                task.found.setdefault(one.expression, one)
        seconds = time.perf_counter() - begin
        for task, mine in zip(active, own, strict=True):
            on_record(_record(generation, task, mine, seconds))
    return [_tuned(task) for task in tasks]


def _member_seed(seed: int, tree: LossTree) -> int:
    """From what is tuned, not from when: the same whatever is tuned beside it."""
    digest = hashlib.sha256(f"{seed} {tree}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


def _record(generation: int, task: _Task, evaluations: Sequence[Evaluation], seconds: float) -> TuningRecord:
    counts = Counter(evaluation.status for evaluation in evaluations)
    fitness = [evaluation.fitness for evaluation in evaluations]
    best = task.best
    return TuningRecord(
        generation=generation,
        loss=str(task.layout.tree),
        best_fitness=max(fitness),
        median_fitness=round(statistics.median(fitness), 6),
        best_so_far=best.fitness,
        best_expression=best.expression,
        sigma=task.strategy.sigma,
        condition_number=task.strategy.condition_number,
        trained=counts["trained"],
        non_finite=counts["non_finite"],
        crashed=counts["crashed"],
        cached=counts["cached"],
        candidate_steps=sum(evaluation.steps for evaluation in evaluations),
        seconds=round(seconds, 3),
        stop_reason=task.strategy.stop_reason,
    )


def _tuned(task: _Task) -> Tuned:
    latest_first = list(task.found.values())[::-1]
    return Tuned(
        loss=str(task.layout.tree),
        start=task.start,
        best=task.best,
        found=sorted(latest_first, key=lambda one: -one.fitness),
        num_coefficients=len(task.layout.places),
        generations=task.strategy.generation,
        stop_reason=str(task.strategy.stop_reason),
    )
