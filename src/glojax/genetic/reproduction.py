"""From parents to offspring, and from one generation to the next: elites, parents, crossover and mutation."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.errors import ConfigurationError
from glojax.expressions.tree import LossTree
from glojax.genetic.config import GeneticConfig
from glojax.genetic.crossover import crossover
from glojax.genetic.mutation import mutate
from glojax.genetic.sampling import random_tree
from glojax.genetic.selection import select_parents

#: Draws for each place in a population before we give up on finding trees within `max_nodes`.
_MAX_DRAWS_PER_PLACE = 1_000


def initial_population(config: GeneticConfig, rng: np.random.Generator) -> tuple[LossTree, ...]:
    """Draw the first generation: random trees of at most `config.initial_depth` edges and `config.max_nodes` nodes.

    Args:
        config: Uses `population_size`, `initial_depth` and `max_nodes`.
        rng: Source of randomness; the same state gives the same population.

    Returns:
        The candidates [population_size]. They may repeat, and may lack `x` or `y`.

    Source: Gonzalez and Miikkulainen (2020), section III-A.

    Example:
        >>> len(initial_population(GeneticConfig(), np.random.default_rng(0)))
        80
    """
    return _fill((), lambda: (random_tree(rng, config.initial_depth),), config)


def _breed(
    population: Sequence[LossTree], fitness: ArrayLike, config: GeneticConfig, rng: np.random.Generator
) -> tuple[LossTree, LossTree]:
    """Two children, of any size, of a pair of parents."""
    first, second = (population[index] for index in select_parents(fitness, 2, config, rng))
    if rng.random() < config.crossover_rate:
        first, second = crossover(first, second, rng)
    return mutate(first, config, rng), mutate(second, config, rng)


def fittest_first(population: Sequence[LossTree], fitness: ArrayLike) -> list[int]:
    """Places in a population, the elites first: by fitness; among equals the smaller tree, then the earlier."""
    values = np.asarray(fitness, dtype=np.float64)
    return sorted(range(len(population)), key=lambda index: (-values[index], population[index].size, index))


def next_generation(
    population: Sequence[LossTree], fitness: ArrayLike, config: GeneticConfig, rng: np.random.Generator
) -> tuple[LossTree, ...]:
    """Breed the next generation.

    The elites come first, unchanged: the fittest, the fittest first; among equals the smaller tree, then the earlier.
    The other places are filled by offspring: two parents are selected, cross over with `config.crossover_rate` or are
    copied, and both children are mutated and join. A child of more than `config.max_nodes` nodes is discarded, never
    cut, and drawing goes on until the population is full.

    Args:
        population: The present candidates [population_size].
        fitness: Their fitness, higher is better, finite [population_size].
        config: Settings of the genetic algorithm.
        rng: Source of randomness; the same state gives the same population.

    Returns:
        The next candidates [population_size], of which the first `num_elites` are the elites.

    Raises:
        ConfigurationError: The population or the fitness does not have `population_size` entries, a tree is larger than
            `max_nodes`, the fitness cannot be used (see `select_parents`), or hardly any offspring is small enough.

    Source: Gonzalez and Miikkulainen (2020), section III-A. Ours: the cap on nodes and the order among equals.

    Example:
        >>> config = GeneticConfig(population_size=8, num_elites=1)
        >>> rng = np.random.default_rng(0)
        >>> parents = initial_population(config, rng)
        >>> children = next_generation(parents, [0.1, 0.9, 0, 0, 0, 0, 0, 0], config, rng)
        >>> len(children), children[0] == parents[1]
        (8, True)
    """
    fitness = np.asarray(fitness, dtype=np.float64)
    _require_matching(population, fitness, config)
    elites = [population[index] for index in fittest_first(population, fitness)[: config.num_elites]]
    return _fill(elites, lambda: _breed(population, fitness, config, rng), config)


def offspring(
    population: Sequence[LossTree], fitness: ArrayLike, config: GeneticConfig, rng: np.random.Generator
) -> list[LossTree]:
    """The children, two or one, of the next pair of parents that has one of at most `config.max_nodes` nodes.

    Args:
        population: The present candidates [P].
        fitness: Their fitness [P]; see `select_parents`.
        config: Settings of the genetic algorithm.
        rng: Source of randomness; the same state gives the same children.

    Raises:
        ConfigurationError: The fitness cannot be used, or hardly any child is small enough.

    Source: Gonzalez and Miikkulainen (2020), section III-A.
    """
    return _gather((), lambda: _breed(population, fitness, config, rng), config, 1)


def _fill(
    kept: Iterable[LossTree], draw: Callable[[], tuple[LossTree, ...]], config: GeneticConfig
) -> tuple[LossTree, ...]:
    """`kept`, then drawn trees within the cap, up to the population's size."""
    return tuple(_gather(kept, draw, config, config.population_size)[: config.population_size])


def _gather(
    kept: Iterable[LossTree], draw: Callable[[], tuple[LossTree, ...]], config: GeneticConfig, number: int
) -> list[LossTree]:
    """`kept`, then drawn trees within the cap, of the last draw all, until there are so many."""
    trees = list(kept)
    for _ in range(_MAX_DRAWS_PER_PLACE * number):
        trees += [tree for tree in draw() if _fits(tree, config)]
        if len(trees) >= number:
            return trees
    raise ConfigurationError(
        f"Only {len(trees)} of {number} places could be filled with trees of at most max_nodes = "
        f"{config.size_limit} nodes; expected most draws to fit: raise max_nodes or lower expand_rate."
    )


def _fits(tree: LossTree, config: GeneticConfig) -> bool:
    return tree.size <= config.size_limit


def _require_matching(population: Sequence[LossTree], fitness: NDArray[np.float64], config: GeneticConfig) -> None:
    if len(population) != config.population_size or fitness.shape != (len(population),):
        raise ConfigurationError(
            f"Got {len(population)} candidates and fitness of shape {fitness.shape}; expected population_size = "
            f"{config.population_size} of each: pass one fitness for each candidate of a full population."
        )
    largest = max(population, key=lambda tree: tree.size)
    if not _fits(largest, config):
        raise ConfigurationError(
            f"The population holds a tree of {largest.size} nodes; expected at most max_nodes = {config.size_limit}: "
            "raise max_nodes or leave the tree out."
        )
