"""From parents to offspring: elites, parents, crossover, mutation, and the limits that all candidates keep."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from glojax.errors import ConfigurationError
from glojax.expressions.tree import LossTree
from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.crossover import crossover
from glojax.strategies.genetic.mutation import mutate
from glojax.strategies.genetic.sampling import random_tree
from glojax.strategies.genetic.selection import select_parents

#: Draws for each candidate after which no more trees are sought that keep the limits.
_MAX_DRAWS_PER_CANDIDATE = 1_000

#: Says whether a tree may be a candidate.
Constraint = Callable[[LossTree], bool]


def draw_trees(
    config: GeneticConfig, rng: np.random.Generator, number: int, constraint: Constraint = lambda tree: True
) -> list[LossTree]:
    """Draw random trees of at most `config.initial_depth` edges and `config.max_nodes` nodes.

    Args:
        config: Uses `initial_depth` and `max_nodes`.
        rng: Source of randomness; the same state gives the same trees.
        number: How many trees.
        constraint: Trees that do not meet it are drawn again.

    Returns:
        The trees. They may repeat, and may lack `x` or `y`.

    Raises:
        ConfigurationError: Hardly any drawn tree is small enough and meets the constraint.

    Source: Gonzalez and Miikkulainen (2020), section III-A.

    Example:
        >>> len(draw_trees(GeneticConfig(), np.random.default_rng(0), 80))
        80
    """
    return _gather(lambda: [random_tree(rng, config.initial_depth)], number, config, constraint)[:number]


def fittest_first(population: Sequence[LossTree], fitness: ArrayLike) -> list[int]:
    """Return the indices of a population by fitness; among equals the smaller tree, then the earlier, comes first."""
    values = np.asarray(fitness, dtype=np.float64)
    return sorted(range(len(population)), key=lambda index: (-values[index], population[index].size, index))


def known_fitness(fitness: Sequence[float | None]) -> np.ndarray:
    """Return fitness [P] as float64; unknown fitness becomes 0 or, where there is a lower one, the lowest."""
    worst = min((0.0, *(value for value in fitness if value is not None)))
    return np.array([worst if value is None else value for value in fitness], np.float64)


def breed(
    population: Sequence[LossTree],
    fitness: ArrayLike,
    config: GeneticConfig,
    rng: np.random.Generator,
    number: int = 1,
    constraint: Constraint = lambda tree: True,
) -> list[LossTree]:
    """Breed children until there are at least `number`.

    Two parents are selected, cross over with `config.crossover_rate` or are copied, and both children are mutated. A
    child of more than `config.max_nodes` nodes, or one that does not meet the constraint, is discarded, never cut.

    Args:
        population: The present candidates [P].
        fitness: Their fitness [P], higher is better, finite; see `select_parents`.
        config: Settings of the genetic algorithm.
        rng: Source of randomness; the same state gives the same children.
        number: At least 1.
        constraint: Says whether a child may be a candidate.

    Returns:
        The children; all that the last pair of parents has, so that there may be one more than `number`.

    Raises:
        ConfigurationError: The fitness cannot be used, or hardly any child is small enough and meets the constraint.

    Source: Gonzalez and Miikkulainen (2020), section III-A. Ours: the limits.
    """

    def draw() -> list[LossTree]:
        first, second = (population[index] for index in select_parents(fitness, 2, config, rng))
        if rng.random() < config.crossover_rate:
            first, second = crossover(first, second, rng)
        return [mutate(first, config, rng), mutate(second, config, rng)]

    return _gather(draw, number, config, constraint)


def next_generation(
    population: Sequence[LossTree],
    fitness: ArrayLike,
    config: GeneticConfig,
    rng: np.random.Generator,
    constraint: Constraint = lambda tree: True,
) -> list[LossTree]:
    """Breed the next generation: the elites, unchanged, the fittest first; then children of the present candidates.

    Args:
        population: The present candidates [population_size].
        fitness: Their fitness [population_size], higher is better, finite.
        config: Settings of the genetic algorithm.
        rng: Source of randomness; the same state gives the same population.
        constraint: Says whether a child may be a candidate.

    Returns:
        The next candidates [population_size], of which the first `num_elites` are the elites.

    Raises:
        ConfigurationError: The fitness cannot be used (see `select_parents`), or hardly any child is small enough and
            meets the constraint.

    Source: Gonzalez and Miikkulainen (2020), section III-A. Ours: the limits, and the order among equals.

    Example:
        >>> config = GeneticConfig(population_size=8, num_elites=1)
        >>> rng = np.random.default_rng(0)
        >>> parents = draw_trees(config, rng, 8)
        >>> children = next_generation(parents, [0.1, 0.9, 0, 0, 0, 0, 0, 0], config, rng)
        >>> len(children), children[0] == parents[1]
        (8, True)
    """
    elites = [population[index] for index in fittest_first(population, fitness)[: config.num_elites]]
    children = breed(population, fitness, config, rng, config.population_size - len(elites), constraint)
    return [*elites, *children][: config.population_size]


def first_population(
    config: GeneticConfig, rng: np.random.Generator, initial: Sequence[LossTree], constraint: Constraint
) -> list[LossTree]:
    """Return the given candidates, then random ones, up to `config.population_size`.

    Raises:
        ConfigurationError: There are more given candidates than places, or one is too large or does not meet the
            constraint; or hardly any drawn tree is small enough and meets it.
    """
    if len(initial) > config.population_size:
        raise ConfigurationError(
            f"Got {len(initial)} initial losses for a population_size of {config.population_size}; give fewer, or "
            "raise population_size."
        )
    for tree in initial:
        if tree.size > config.size_limit:
            raise ConfigurationError(
                f"The initial loss {tree} has {tree.size} nodes; expected at most max_nodes = {config.size_limit}: "
                "raise max_nodes, or leave the loss out."
            )
        if not constraint(tree):
            raise ConfigurationError(f"The initial loss {tree} does not meet the constraint; leave it out.")
    return [*initial, *draw_trees(config, rng, config.population_size - len(initial), constraint)]


def _gather(
    draw: Callable[[], list[LossTree]], number: int, config: GeneticConfig, constraint: Constraint
) -> list[LossTree]:
    """Draw trees until at least `number` keep the limits; all of the last draw are returned."""
    trees: list[LossTree] = []
    num_draws = 0
    while len(trees) < number:
        num_draws += 1
        if num_draws > _MAX_DRAWS_PER_CANDIDATE * number:
            raise ConfigurationError(
                f"Only {len(trees)} of {number} candidates could be drawn with at most max_nodes = {config.size_limit} "
                "nodes that meet the constraint; expected most draws to fit: raise max_nodes, lower expand_rate, or "
                "loosen the constraint."
            )
        trees += [tree for tree in draw() if tree.size <= config.size_limit and constraint(tree)]
    return trees
