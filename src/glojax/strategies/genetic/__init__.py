"""The genetic algorithm that searches loss functions: sampling, selection, crossover, mutation, and two strategies."""

from glojax.strategies.genetic.config import GeneticConfig
from glojax.strategies.genetic.crossover import crossover
from glojax.strategies.genetic.generational import GenerationalSearch
from glojax.strategies.genetic.mutation import mutate
from glojax.strategies.genetic.reproduction import Constraint, breed, draw_trees, require_valid
from glojax.strategies.genetic.sampling import random_node, random_tree
from glojax.strategies.genetic.selection import select_parents
from glojax.strategies.genetic.steady_state import SteadyStateSearch

__all__ = [
    "Constraint",
    "GenerationalSearch",
    "GeneticConfig",
    "SteadyStateSearch",
    "breed",
    "crossover",
    "draw_trees",
    "mutate",
    "random_node",
    "random_tree",
    "require_valid",
    "select_parents",
]
