"""The genetic algorithm in generations, as the paper describes it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glojax.expressions import LossTree
from glojax.strategies.base import Batch
from glojax.strategies.genetic.reproduction import (
    GeneticStrategy,
    OutOfCandidatesError,
    first_population,
    fittest_first,
    known_fitness,
)

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class GenerationalSearch(GeneticStrategy):
    """The generational genetic algorithm: it breeds a generation when the one before it is evaluated.

    A generation begins with the `config.num_elites` fittest of the one before, unchanged, the fittest first; among
    equally fit candidates the smaller, then the earlier, comes first. Random immigrants follow, if
    `config.immigrant_rate` is above 0; the other candidates are children. The search ends where too few can be bred.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The order among equals is ours.

    Examples:
        >>> from glojax import GeneticConfig
        >>> search = GenerationalSearch(GeneticConfig(population_size=20), seed=0)
        >>> len(search.ask(100)), len(search.ask(100))
        (20, 0)
    """

    def _start(self, initial: Sequence[LossTree]) -> None:
        self._generation = Batch(first_population(self._config, self._rng, initial, self._constraint))

    def ask(self, room: int) -> tuple[LossTree, ...]:
        """Return the next candidates of the generation; none while it is being evaluated."""
        if self._generation.is_complete and not self._is_at_end:
            self._generation = Batch(self._next_generation())
        return self._generation.ask(room)

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn the evaluation of a candidate of the generation."""
        self._generation.tell(tree, evaluation)

    def _next_generation(self) -> list[LossTree]:
        population, size = self._generation.trees, self._config.population_size
        fitness = known_fitness([evaluation.fitness for evaluation in self._generation.evaluations])
        elites = [population[index] for index in fittest_first(population, fitness)[: self._config.num_elites]]
        first = [*elites, *self._immigrants(size - len(elites))]
        try:
            return [*first, *self._breed(population, fitness, size - len(first))][:size]
        except OutOfCandidatesError as error:
            self._end(error)
            return []
