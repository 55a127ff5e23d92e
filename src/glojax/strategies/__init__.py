"""Search strategies: each decides which candidates are evaluated next, and one loop drives them all."""

from collections.abc import Callable

from glojax.strategies.base import Batch, Strategy
from glojax.strategies.coefficients import CoefficientSearch, TuningConfig
from glojax.strategies.genetic import GenerationalSearch, GeneticConfig, SteadyStateSearch
from glojax.strategies.random_search import RandomSearch

#: The strategies that discover losses, by their names on the command line; `strategy(config, seed, initial=...,
#: constraint=...)` makes each.
DISCOVERY_STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "generational": GenerationalSearch,
    "steady-state": SteadyStateSearch,
    "random": RandomSearch,
}

__all__ = [
    "DISCOVERY_STRATEGIES",
    "Batch",
    "CoefficientSearch",
    "GenerationalSearch",
    "GeneticConfig",
    "RandomSearch",
    "SteadyStateSearch",
    "Strategy",
    "TuningConfig",
]
