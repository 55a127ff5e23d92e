"""The genetic algorithm without generations: candidates enter and leave the population one at a time."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from glojax.expressions.tree import LossTree
from glojax.strategies.base import Batch
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.reproduction import Constraint, breed, first_population, fittest_first, known_fitness

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


class SteadyStateSearch:
    """The steady-state genetic algorithm: whenever there is room, it breeds from what is known by then.

    It asks for a random population first, the same as `GenerationalSearch`. Once all of it is evaluated, it asks for
    the two children of a pair of parents of the present population, then those of the next pair; at most as many
    candidates as the population holds are outstanding. An evaluated candidate enters the population. When there are
    more than `config.population_size`, the one that entered first leaves, except for the `config.num_elites` fittest.

    Args:
        config: Settings of the genetic algorithm.
        seed: The seed of the drawing and the breeding.
        initial: Candidates of the first population; the others are random.
        constraint: Says whether a random tree or a child may be a candidate; others are drawn again.

    Raises:
        ConfigurationError: There are too many initial candidates, or one may not be a candidate.

    Source: De Jong and Sarma (1993, Generation gaps revisited) found first in, first out closest to the generational
    algorithm: candidates live, and selection presses, about as long and as hard as there. To replace the worst, as
    GENITOR does (Whitley, 1989), presses much harder (Syswerda, 1991), and would let copies of the best fill a
    population whose parents may be copied. Ours: the elites stay, as in the generational algorithm.

    Example:
        >>> len(SteadyStateSearch(GeneticConfig(population_size=20), seed=0).ask(100))
        20
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
        self._first = Batch(first_population(config, self._rng, initial, constraint))
        self._children: deque[LossTree] = deque()
        self._num_outstanding = 0
        self._members: deque[tuple[LossTree, float | None]] = deque()

    def ask(self, room: int) -> list[LossTree]:
        """Return the next candidates; none while the first population, or enough of others, are being evaluated.

        Raises:
            ConfigurationError: The fitness cannot be used (see `select_parents`), or hardly any child may be a
                candidate.
        """
        asked = list(self._first.ask(room))
        if self._first.is_complete:
            room = min(room, self._config.population_size - self._num_outstanding)
            while len(asked) < room:
                if not self._children:
                    trees, fitness = self._population
                    children = breed(trees, fitness, self._config, self._rng, constraint=self._constraint)
                    self._children.extend(children)
                asked.append(self._children.popleft())
        self._num_outstanding += len(asked)
        return asked

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Let a candidate into the population."""
        if not self._first.is_complete:
            self._first.tell(tree, evaluation)
        self._num_outstanding -= 1
        self._members.append((tree, evaluation.fitness))
        if len(self._members) > self._config.population_size:
            oldest = min(fittest_first(*self._population)[self._config.num_elites :])
            del self._members[oldest]

    @property
    def _population(self) -> tuple[list[LossTree], np.ndarray]:
        """The candidates in the population, in the order in which they entered, and their fitness."""
        return [tree for tree, _ in self._members], known_fitness([fitness for _, fitness in self._members])
