"""Search strategies: each decides which candidates are evaluated next, and one loop drives them all."""

from collections.abc import Callable

from glojax.errors import ConfigurationError, nearest
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


def find_strategy(name: str) -> Callable[..., Strategy]:
    """Return the entry of `DISCOVERY_STRATEGIES`; raise ConfigurationError if there is none."""
    if name not in DISCOVERY_STRATEGIES:
        hint, known = nearest(name, DISCOVERY_STRATEGIES), ", ".join(DISCOVERY_STRATEGIES)
        raise ConfigurationError(f"Unknown strategy {name!r}.{hint} Expected one of {known}.")
    return DISCOVERY_STRATEGIES[name]
