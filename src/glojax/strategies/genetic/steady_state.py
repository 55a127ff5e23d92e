"""The genetic algorithm without generations: candidates enter and leave the population one at a time."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glojax.expressions import LossTree
from glojax.strategies.base import not_outstanding
from glojax.strategies.genetic.reproduction import (
    GeneticStrategy,
    OutOfCandidatesError,
    first_population,
    fittest_first,
    known_fitness,
)

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class SteadyStateSearch(GeneticStrategy):
    """The steady-state genetic algorithm: it breeds from the candidates evaluated so far whenever there is room.

    It asks for a random population first, the same as `GenerationalSearch`. Once all of it is evaluated, it asks for
    the two children of a pair of parents of the present population, then those of the next pair, until many draws in a
    row give no candidate. Instead of the next child, a random tree is the candidate with a probability of
    `config.immigrant_rate`, while new ones can be drawn. At most `config.population_size` candidates are outstanding.
    An evaluated candidate enters the population. When there are more than `config.population_size`, the one that
    entered first leaves, except for the `config.num_elites` fittest.

    Source: De Jong and Sarma (1993, Generation gaps revisited) found first in, first out closest to the generational
    algorithm in the lifetime of candidates and the pressure of selection. Replacing the worst, as GENITOR does
    (Whitley, 1989), has a much higher pressure (Syswerda, 1991), and would let copies of the best fill a population
    whose parents may be copied. Ours: the elites stay, as in the generational algorithm.

    Examples:
        >>> from glojax import GeneticConfig
        >>> len(SteadyStateSearch(GeneticConfig(population_size=20), seed=0).ask(100))
        20
    """

    def _start(self, initial: Sequence[LossTree]) -> None:
        try:
            first = first_population(self._config, self._rng, initial, self._constraint)
        except OutOfCandidatesError as error:
            if not (first := error.trees):
                raise
        self._next = deque(first)
        self._children: deque[LossTree] = deque()
        self._num_first = len(first)
        self._outstanding: Counter[LossTree] = Counter()
        self._population: deque[tuple[LossTree, float | None]] = deque()

    def ask(self, room: int) -> list[LossTree]:
        """Return the next candidates; none while the first population, or as many others, are being evaluated."""
        room = min(room, self._config.population_size - self._outstanding.total())
        while len(self._next) < room and len(self._population) >= self._num_first and not self._is_at_end:
            try:
                self._next.append(self._draw())
            except OutOfCandidatesError as error:
                self._end(error)
        asked = [self._next.popleft() for _ in range(min(room, len(self._next)))]
        self._outstanding.update(asked)
        return asked

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Add a candidate to the population."""
        if not self._outstanding[tree]:
            raise not_outstanding(tree)
        self._outstanding[tree] -= 1
        self._population.append((tree, self._fitness_of(evaluation)))
        if len(self._population) > self._config.population_size:
            self._leave()

    def _draw(self) -> LossTree:
        """Return a random immigrant, or the next child."""
        if immigrants := self._immigrants(1):
            return immigrants[0]
        if not self._children:
            self._children.extend(self._breed(*self._trees_and_fitness(), 1))
        return self._children.popleft()

    def _fitness_of(self, evaluation: "Evaluation") -> float | None:
        """Return the fitness by which parents are selected."""
        return evaluation.fitness

    def _leave(self) -> None:
        """Remove the oldest candidate that is none of the elites."""
        oldest = min(fittest_first(*self._trees_and_fitness())[self._config.num_elites :])
        del self._population[oldest]

    def _trees_and_fitness(self) -> tuple[list[LossTree], np.ndarray]:
        """Return the candidates in the population, in the order in which they entered, and their fitness."""
        return [tree for tree, _ in self._population], known_fitness([fitness for _, fitness in self._population])
