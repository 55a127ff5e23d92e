"""Search strategies: each decides which candidates are evaluated next, and one loop drives them all."""

from collections.abc import Callable

from glojax.strategies.base import Batch as Batch, Strategy as Strategy
from glojax.strategies.coefficients import CoefficientSearch as CoefficientSearch, TuningConfig as TuningConfig
from glojax.strategies.genetic import (
    GenerationalSearch as GenerationalSearch,
    GeneticConfig as GeneticConfig,
    SteadyStateSearch as SteadyStateSearch,
)
from glojax.strategies.random_search import RandomSearch as RandomSearch

#: The strategies that discover losses, by their names on the command line; `strategy(config, seed, initial=...,
#: constraint=...)` makes each.
DISCOVERY_STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "generational": GenerationalSearch,
    "steady-state": SteadyStateSearch,
    "random": RandomSearch,
}
