"""The genetic algorithm in generations, as the paper has it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glojax.expressions.tree import LossTree
from glojax.strategies.base import Batch
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.reproduction import Constraint, first_population, known_fitness, next_generation

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class GenerationalSearch:
    """The generational genetic algorithm: a generation is bred when the one before it is evaluated.

    Args:
        config: Settings of the genetic algorithm.
        seed: The seed of the drawing and the breeding.
        initial: Candidates of the first generation; the others are random.
        constraint: Says whether a random tree or a child may be a candidate; others are drawn again.

    Raises:
        ConfigurationError: There are too many initial candidates, or one may not be a candidate.

    Source: Gonzalez and Miikkulainen (2020), section III-A.

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
        """Return the next candidates of the generation; none while it is being evaluated.

        Raises:
            ConfigurationError: The fitness cannot be used (see `select_parents`), or hardly any child may be a
                candidate.
        """
        if self._generation.is_complete:
            fitness = known_fitness([one.fitness for one in self._generation.evaluations])
            children = next_generation(self._generation.trees, fitness, self._config, self._rng, self._constraint)
            self._generation = Batch(children)
        return self._generation.ask(room)

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn the evaluation of a candidate of the generation."""
        self._generation.tell(tree, evaluation)
