"""The genetic algorithm that searches loss functions: sampling, selection, crossover, mutation, and two strategies."""

from glojax.strategies.genetic.config import GeneticConfig as GeneticConfig
from glojax.strategies.genetic.crossover import crossover as crossover
from glojax.strategies.genetic.generational import GenerationalSearch as GenerationalSearch
from glojax.strategies.genetic.mutation import mutate as mutate
from glojax.strategies.genetic.reproduction import (
    GeneticStrategy as GeneticStrategy,
    OutOfCandidatesError as OutOfCandidatesError,
    breed as breed,
    draw_trees as draw_trees,
    require_valid as require_valid,
)
from glojax.strategies.genetic.sampling import random_node as random_node, random_tree as random_tree
from glojax.strategies.genetic.selection import select_parents as select_parents
from glojax.strategies.genetic.steady_state import SteadyStateSearch as SteadyStateSearch
