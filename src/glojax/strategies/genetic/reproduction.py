"""The parts of the genetic algorithm that its strategies share: the first population, and children of parents."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree, Making, Origin
from glojax.strategies.base import Constraint, require_constraint
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.crossover import crossover
from glojax.strategies.genetic.mutation import mutate
from glojax.strategies.genetic.sampling import random_tree
from glojax.strategies.genetic.selection import select_parents

_log = logging.getLogger(__name__)

#: Draws for each candidate after which the search for valid trees ends with an error.
_MAX_DRAWS_PER_CANDIDATE = 20_000

#: A tree, and how it was made.
_Drawn = tuple[LossTree, Origin]


class OutOfCandidatesError(ConfigurationError):
    """Too many draws in a row gave no candidate.

    Attributes:
        trees: The valid ones drawn before.
    """

    def __init__(self, message: str, trees: list[LossTree]):
        super().__init__(message)
        self.trees = trees


class GeneticStrategy(ABC):
    """What the strategies that draw random trees have in common; a subclass starts from its first candidates.

    Args:
        config: Settings of the genetic algorithm.
        seed: The seed of the drawing and the breeding.
        initial: The first candidates; the others are random.
        constraint: Says whether a random tree or a child may be a candidate; others are drawn again.
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
        self._is_at_end = False
        self._immigrant_rate = config.immigrant_rate
        self._given = frozenset(initial)
        self._bred: dict[LossTree, Origin] = {}
        self._start(initial)

    def origin_of(self, tree: LossTree) -> Origin:
        """Return how a candidate was made; of equal candidates, how the first child was."""
        return self._bred.get(tree, Origin("given" if tree in self._given else "random"))

    @abstractmethod
    def _start(self, initial: Sequence[LossTree]) -> None:
        """Set up the first candidates."""

    def _breed(self, population: Sequence[LossTree], fitness: ArrayLike, number: int) -> list[LossTree]:
        """Breed children, and keep their origins."""
        return breed(population, fitness, self._config, self._rng, number, self._constraint, self._bred.setdefault)

    def _immigrants(self, number: int) -> list[LossTree]:
        """Draw the random trees that take the place of children among so many candidates, while there are any."""
        number = int(self._rng.binomial(number, self._immigrant_rate)) if self._immigrant_rate else 0
        try:
            return draw_trees(self._config, self._rng, number, self._constraint)
        except OutOfCandidatesError as error:
            self._immigrant_rate = 0.0
            _log.warning("%s All further candidates are children.", error)
            return error.trees

    def _end(self, error: OutOfCandidatesError) -> None:
        """Ask for no further candidate, and say why."""
        self._is_at_end = True
        _log.warning("%s The search ends here.", error)


def draw_trees(
    config: GeneticConfig, rng: np.random.Generator, number: int, constraint: Constraint = lambda tree: True
) -> list[LossTree]:
    """Draw random trees of at most `config.initial_depth` edges and `config.max_nodes` nodes; they may repeat."""

    def draw() -> list[_Drawn]:
        return [(random_tree(rng, config.initial_depth, config.operator_weights), Origin("random"))]

    return _gather(draw, number, config, constraint)


def breed(
    population: Sequence[LossTree],
    fitness: ArrayLike,
    config: GeneticConfig,
    rng: np.random.Generator,
    number: int = 1,
    constraint: Constraint = lambda tree: True,
    on_child: Callable[[LossTree, Origin], object] = lambda child, origin: None,
) -> list[LossTree]:
    """Breed children until there are at least `number`; both valid children of the last pair are returned.

    Two parents are selected, cross over with `config.crossover_rate` or are copied, and both children are mutated. A
    child of more than `config.max_nodes` nodes, or one that does not meet the constraint, is discarded, never cut.
    `on_child` is called with each child that is returned, and how it was made.

    Source: Gonzalez and Miikkulainen (2020), section III-A. The limits are ours.
    """

    def draw() -> list[_Drawn]:
        first, second = (population[index] for index in select_parents(fitness, 2, config, rng))
        making: Making = "selection"
        mutated: Making = "mutation"
        parents: list[tuple[LossTree, ...]] = [(first,), (second,)]
        if rng.random() < config.crossover_rate:
            making, mutated, parents = "crossover", "crossover and mutation", [(first, second), (second, first)]
            first, second = crossover(first, second, rng)
        children = [mutate(first, config, rng), mutate(second, config, rng)]
        return [
            (child, Origin(making if child == before else mutated, own))
            for child, before, own in zip(children, (first, second), parents, strict=True)
        ]

    return _gather(draw, number, config, constraint, on_child)


def first_population(
    config: GeneticConfig, rng: np.random.Generator, initial: Sequence[LossTree], constraint: Constraint
) -> list[LossTree]:
    """Return the initial candidates, then random ones, `config.population_size` in all.

    Raises:
        OutOfCandidatesError: There are not as many; its trees are those there are.
    """
    if len(initial) > config.population_size:
        raise ConfigurationError(
            f"Got {len(initial)} initial losses for a population_size of {config.population_size}; give fewer, or "
            "raise population_size."
        )
    require_valid(initial, config, constraint)
    try:
        return [*initial, *draw_trees(config, rng, config.population_size - len(initial), constraint)]
    except OutOfCandidatesError as error:
        error.trees[:0] = initial
        raise


def require_valid(initial: Sequence[LossTree], config: GeneticConfig, constraint: Constraint) -> None:
    """Raise an error if an initial candidate is too large or does not meet the constraint."""
    for tree in initial:
        if tree.size > config.size_limit:
            raise ConfigurationError(
                f"The initial loss {tree} has {tree.size} nodes; expected at most max_nodes = {config.size_limit}: "
                "raise max_nodes, or leave the loss out."
            )
    require_constraint(initial, constraint)


def fittest_first(population: Sequence[LossTree], fitness: NDArray[np.float64]) -> list[int]:
    """Return the indices of a population by fitness; among equals the smaller tree, then the earlier, comes first."""
    return sorted(range(len(population)), key=lambda index: (-fitness[index], population[index].size, index))


def known_fitness(fitness: Sequence[float | None]) -> NDArray[np.float64]:
    """Return fitness [P] in which an unknown value is 0 or, if a known one is lower, the lowest known one."""
    worst = min((0.0, *(value for value in fitness if value is not None)))
    return np.array([worst if value is None else value for value in fitness], np.float64)


def _gather(
    draw: Callable[[], list[_Drawn]],
    number: int,
    config: GeneticConfig,
    constraint: Constraint,
    on_valid: Callable[[LossTree, Origin], object] = lambda tree, origin: None,
) -> list[LossTree]:
    """Draw trees until at least `number` keep the limits; return all valid ones of the last draw, too."""
    trees: list[LossTree] = []
    num_draws = 0
    while len(trees) < number:
        num_draws += 1
        if num_draws > _MAX_DRAWS_PER_CANDIDATE * number:
            raise OutOfCandidatesError(
                f"Only {len(trees)} of {number} candidates could be drawn with at most max_nodes = {config.size_limit} "
                "nodes that meet the constraint; expected most draws to fit: raise max_nodes or initial_depth, lower "
                "expand_rate, or loosen the constraint.",
                trees,
            )
        for tree, origin in draw():
            if tree.size <= config.size_limit and constraint(tree):
                trees.append(tree)
                on_valid(tree, origin)
    return trees
