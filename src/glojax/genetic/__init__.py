"""The genetic algorithm that searches loss functions: sampling, selection, crossover, mutation, reproduction."""

from glojax.genetic.config import GeneticConfig
from glojax.genetic.crossover import crossover
from glojax.genetic.mutation import mutate
from glojax.genetic.reproduction import initial_population, next_generation
from glojax.genetic.sampling import random_node, random_tree
from glojax.genetic.selection import select_parents
from glojax.genetic.steady_state import SteadyState

__all__ = [
    "GeneticConfig",
    "SteadyState",
    "crossover",
    "initial_population",
    "mutate",
    "next_generation",
    "random_node",
    "random_tree",
    "select_parents",
]
