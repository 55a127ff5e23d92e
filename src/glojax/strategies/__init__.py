"""Search strategies: each decides which candidates are evaluated next, and one loop drives them all."""

from collections.abc import Callable
from typing import NamedTuple

from glojax.errors import ConfigurationError, nearest
from glojax.strategies.base import (
    Batch as Batch,
    Constraint as Constraint,
    Strategy as Strategy,
    Traceable as Traceable,
)
from glojax.strategies.coefficients import CoefficientSearch as CoefficientSearch, TuningConfig as TuningConfig
from glojax.strategies.constraints import (
    CONSTRAINTS as CONSTRAINTS,
    Constraints as Constraints,
    find_constraint as find_constraint,
)
from glojax.strategies.genetic import (
    GenerationalSearch as GenerationalSearch,
    GeneticConfig as GeneticConfig,
    SteadyStateSearch as SteadyStateSearch,
)
from glojax.strategies.new_shapes import NewShapes as NewShapes
from glojax.strategies.random_search import RandomSearch as RandomSearch
from glojax.strategies.shape import ShapeSearch as ShapeSearch
from glojax.strategies.taylor import TaylorConfig as TaylorConfig, TaylorSearch as TaylorSearch

#: The settings of a strategy that discovers losses; its `population_size` is the size of a generation.
DiscoveryConfig = GeneticConfig | TaylorConfig


class Discovery(NamedTuple):
    """A strategy that discovers losses.

    Attributes:
        make: `make(config, seed, initial=..., constraint=...)` returns the strategy.
        config_type: The type of its settings.
    """

    make: Callable[..., Strategy]
    config_type: type[GeneticConfig] | type[TaylorConfig]


#: The strategies that discover losses, by their names on the command line.
DISCOVERY_STRATEGIES: dict[str, Discovery] = {
    "shape": Discovery(ShapeSearch, GeneticConfig),
    "generational": Discovery(GenerationalSearch, GeneticConfig),
    "steady-state": Discovery(SteadyStateSearch, GeneticConfig),
    "random": Discovery(RandomSearch, GeneticConfig),
    "taylor": Discovery(TaylorSearch, TaylorConfig),
}


def find_strategy(name: str) -> Discovery:
    """Return the entry of `DISCOVERY_STRATEGIES`; raise ConfigurationError if there is none."""
    if name not in DISCOVERY_STRATEGIES:
        hint, known = nearest(name, DISCOVERY_STRATEGIES), ", ".join(DISCOVERY_STRATEGIES)
        raise ConfigurationError(f"Unknown strategy {name!r}.{hint} Expected one of {known}.")
    return DISCOVERY_STRATEGIES[name]
