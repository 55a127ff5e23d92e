"""A population without generations: candidates enter and leave it one at a time."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from glojax.expressions.tree import LossTree
from glojax.genetic.config import GeneticConfig
from glojax.genetic.reproduction import fittest_first, initial_population, offspring


class SteadyState:
    """The steady-state form of the genetic algorithm, whatever the order in which fitness becomes known.

    Candidates are drawn one at a time: first a random population, the same as that of `initial_population`, then, when
    all of it has entered, the two children of a pair of parents from the present population, bred as `next_generation`
    breeds them, then those of the next pair. A candidate enters the population with its fitness. When there are more
    than `config.population_size`, the one that entered first leaves, the `config.num_elites` fittest excepted.

    Equal calls of `draw` and `add`, in an equal order, with equal fitness, give equal candidates.

    Args:
        config: Settings of the genetic algorithm.
        rng: Source of randomness.

    Source: first in, first out is what De Jong and Sarma (1993, Generation gaps revisited) found closest to the
    generational algorithm: a candidate lives, and selection presses, about as long and as hard as there. To replace
    the worst, as GENITOR does (Whitley, 1989), presses much harder (Syswerda, 1991), and would let copies of the best
    fill a population whose parents may be copied. That elites stay is the generational default's rule.

    Example:
        >>> steady = SteadyState(GeneticConfig(population_size=2, num_elites=1), np.random.default_rng(0))
        >>> trees = [steady.draw() for _ in range(2)]
        >>> for number, fitness in enumerate((0.9, 0.1)):
        ...     steady.add(number, fitness)
        >>> trees.append(steady.draw())
        >>> steady.add(2, 0.2)
        >>> steady.members
        (0, 2)
    """

    def __init__(self, config: GeneticConfig, rng: np.random.Generator):
        self._config = config
        self._rng = rng
        self._next = deque(initial_population(config, rng))
        self._drawn: list[LossTree] = []
        self._members: dict[int, float] = {}

    @property
    def num_drawn(self) -> int:
        """How many candidates were drawn; they are numbered from 0."""
        return len(self._drawn)

    @property
    def members(self) -> Sequence[int]:
        """The numbers of the candidates in the population, in the order in which they entered."""
        return tuple(self._members)

    def draw(self) -> LossTree | None:
        """The next candidate; None where the random ones are drawn, and not all have entered the population yet.

        What enters first of these are those without x or y, which nobody trains: bred from them alone, many a draw
        would be wasted.

        Raises:
            ConfigurationError: Hardly any offspring is small enough, or the fitness cannot be used; see
                `select_parents`.
        """
        if not self._next:
            if len(self._members) < self._config.population_size:
                return None
            self._next.extend(offspring(self._trees, list(self._members.values()), self._config, self._rng))
        self._drawn.append(self._next.popleft())
        return self._drawn[-1]

    def add(self, number: int, fitness: float) -> None:
        """Let a candidate into the population, once.

        Args:
            number: Of a candidate that was drawn.
            fitness: Higher is better, finite.
        """
        self._members[number] = fitness
        if len(self._members) > self._config.population_size:
            order = fittest_first(self._trees, list(self._members.values()))
            oldest = min(order[self._config.num_elites :])
            del self._members[self.members[oldest]]

    @property
    def _trees(self) -> list[LossTree]:
        return [self._drawn[number] for number in self._members]
