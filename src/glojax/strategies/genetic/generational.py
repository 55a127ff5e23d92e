"""The genetic algorithm in generations, as the paper describes it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glojax.expressions import LossTree
from glojax.strategies.base import Batch
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.reproduction import Constraint, breed, first_population, fittest_first, known_fitness

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class GenerationalSearch:
    """The generational genetic algorithm: it breeds a generation when the one before it is evaluated.

    A generation begins with the `config.num_elites` fittest of the one before, unchanged, the fittest first; among
    equally fit candidates the smaller, then the earlier, comes first. The other candidates are children.

    Args:
        config: Settings of the genetic algorithm.
        seed: The seed of the drawing and the breeding.
        initial: The first candidates of the first generation, at most all of it; the others are random.
        constraint: Says whether a random tree or a child may be a candidate; others are drawn again.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The order among equals is ours.

    Example:
        >>> search = GenerationalSearch(GeneticConfig(population_size=20), seed=0)
        >>> len(search.ask(100)), len(search.ask(100))
        (20, 0)
    """

    def __init__(
        self,
        config: GeneticConfig,
        seed: int,
        *,
        initial: Sequence[LossTree] = (),
        constraint: Constraint = lambda tree: True,
    ):
        self._config = config
        self._rng = np.random.default_rng(seed)
        self._constraint = constraint
        self._generation = Batch(first_population(config, self._rng, initial, constraint))

    def ask(self, room: int) -> tuple[LossTree, ...]:
        """Return the next candidates of the generation; none while it is being evaluated."""
        if self._generation.is_complete:
            self._generation = Batch(self._next_generation())
        return self._generation.ask(room)

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn the evaluation of a candidate of the generation."""
        self._generation.tell(tree, evaluation)

    def _next_generation(self) -> list[LossTree]:
        population, size = self._generation.trees, self._config.population_size
        fitness = known_fitness([evaluation.fitness for evaluation in self._generation.evaluations])
        elites = [population[index] for index in fittest_first(population, fitness)[: self._config.num_elites]]
        children = breed(population, fitness, self._config, self._rng, size - len(elites), self._constraint)
        return [*elites, *children][:size]
