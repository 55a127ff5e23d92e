"""Discovery: the genetic algorithm's loop over generations, and what is told of a search."""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glojax.evaluation import Evaluation, Evaluator
from glojax.expressions import LossTree
from glojax.genetic import GeneticConfig, initial_population, next_generation


@dataclass(frozen=True)
class GenerationRecord:
    """What became of one generation.

    Of an asynchronous search: best and median are of the population at its end, counts of the candidates that came back
    in it.

    Attributes:
        generation: Its number, from 1.
        best_fitness: Highest fitness in it.
        median_fitness: Median fitness of its candidates.
        best_expression: The fittest candidate; of equally fit ones the smallest.
        trained: Candidates trained to the end.
        non_finite: Candidates whose training was not finite.
        lacks_variable: Candidates without x or without y.
        crashed: Candidates that ended three workers of a cluster.
        cached: Candidates known before, or equal to another of this generation.
        candidate_steps: SGD steps taken in all.
        seconds: Wall time.
    """

    generation: int
    best_fitness: float
    median_fitness: float
    best_expression: str
    trained: int
    non_finite: int
    lacks_variable: int
    crashed: int
    cached: int
    candidate_steps: int
    seconds: float


@dataclass(frozen=True)
class Discovered:
    """A loss function that was evaluated, and the generation, from 1, in which it first occurred."""

    evaluation: Evaluation
    generation: int

    @property
    def size(self) -> int:
        """Number of nodes."""
        return LossTree.parse(self.evaluation.expression).size


def discover(
    evaluator: Evaluator,
    config: GeneticConfig,
    num_generations: int,
    seed: int,
    *,
    on_evaluation: Callable[[Evaluation, int], None] = lambda evaluation, generation: None,
    on_generation: Callable[[GenerationRecord], None] = lambda record: None,
) -> list[Discovered]:
    """Search for loss functions with the genetic algorithm.

    Args:
        evaluator: Gives candidates their fitness.
        config: Of the genetic algorithm.
        num_generations: At least 1; the first is random.
        seed: Of the genetic algorithm.
        on_evaluation: Called with each evaluation as it is made, and the number of its generation.
        on_generation: Called at the end of each generation.

    Returns:
        Every distinct loss function evaluated, the best first; of equally fit ones the smaller, then the earlier.

    Source: Gonzalez and Miikkulainen (2020), section III-A.
    """
    rng = np.random.default_rng(seed)
    population = initial_population(config, rng)
    found: dict[str, Discovered] = {}
    for generation in range(1, num_generations + 1):

        def report(evaluation: Evaluation, generation: int = generation) -> None:
            on_evaluation(evaluation, generation)

        start = time.perf_counter()
        evaluations = evaluator.evaluate(population, report)
        for evaluation in evaluations:
            found.setdefault(evaluation.expression, Discovered(evaluation, generation))
        on_generation(summary(generation, evaluations, evaluations, time.perf_counter() - start))
        if generation < num_generations:
            fitness = np.array([evaluation.fitness for evaluation in evaluations])
            population = next_generation(population, fitness, config, rng)
    return best_first(found.values())


def best_first(found: Iterable[Discovered]) -> list[Discovered]:
    """The best first; of equally fit losses the smaller, then the earlier."""
    return sorted(found, key=lambda one: (-one.evaluation.fitness, one.size, one.generation))


def summary(
    generation: int, population: Sequence[Evaluation], evaluations: Sequence[Evaluation], seconds: float
) -> GenerationRecord:
    """What became of a generation.

    Args:
        generation: Its number, from 1.
        population: What it consists of.
        evaluations: Those that were made for it.
        seconds: That they took.
    """
    best = min(population, key=lambda one: (-one.fitness, LossTree.parse(one.expression).size))
    counts = Counter(evaluation.status for evaluation in evaluations)
    return GenerationRecord(
        generation=generation,
        best_fitness=best.fitness,
        median_fitness=round(statistics.median(evaluation.fitness for evaluation in population), 6),
        best_expression=best.expression,
        trained=counts["trained"],
        non_finite=counts["non_finite"],
        lacks_variable=counts["lacks_variable"],
        crashed=counts["crashed"],
        cached=counts["cached"],
        candidate_steps=sum(evaluation.steps for evaluation in evaluations),
        seconds=round(seconds, 3),
    )
