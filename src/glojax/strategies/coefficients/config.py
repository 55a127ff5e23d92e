"""The settings of the tuning of coefficients."""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Final, get_args

from glojax.errors import ConfigurationError
from glojax.strategies.coefficients.layout import FreeCoefficients

#: A member is a tree of up to 1,000 nodes, and all members of a generation are in memory at once.
MAX_MEMBERS: Final = 10_000


@dataclass(frozen=True)
class TuningConfig:
    """Settings of CMA-ES; the defaults are the paper's where it gives a value.

    Source: Gonzalez and Miikkulainen (2020), section III-B, gives `sigma`, one coefficient for each node, and weighted
    rank-mu updates. Population size: Hansen, "The CMA Evolution Strategy: A Tutorial" (2016), equation 48. `patience`
    and the number of generations are ours.

    Examples:
        >>> TuningConfig(sigma=-1)
        Traceback (most recent call last):
            ...
        glojax.errors.ConfigurationError: sigma is -1; expected a positive number, such as 1.5.
    """

    coefficients: FreeCoefficients = "all"
    """The coefficients to tune: all, one for each node; only the independent ones, which no other absorbs; or those of
    the shape, one fewer, as the scale of a loss is left to the learning rate."""
    generations: int = 20
    """Greatest number of generations."""
    population_size: int | None = None
    """Number of members of a generation, for each loss, at most 10,000. By default 4 + 3 ln(k), rounded down, for k
    coefficients."""
    sigma: float = 1.5
    """Initial step size."""
    active_weights: bool = False
    """Whether bad members repel (active CMA-ES). The paper's variant has only positive weights."""
    patience: int | None = None
    """Generations without a better member after which the tuning of a loss ends. By default 10 + 30 k / population."""

    def __post_init__(self) -> None:
        for name, minimum in (("generations", 1), ("population_size", 2), ("patience", 1)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Integral) or value < minimum):
                raise ConfigurationError(f"{name} is {value}; expected a whole number of at least {minimum}.")
        if self.population_size is not None and self.population_size > MAX_MEMBERS:
            raise ConfigurationError(
                f"population_size is {self.population_size}; expected at most {MAX_MEMBERS}, as all members of a "
                "generation are in memory at once: lower it."
            )
        if not 0 < self.sigma < math.inf:
            raise ConfigurationError(f"sigma is {self.sigma}; expected a positive number, such as 1.5.")
        if self.coefficients not in get_args(FreeCoefficients):
            choices = ", ".join(map(repr, get_args(FreeCoefficients)))
            raise ConfigurationError(f"coefficients is {self.coefficients!r}; expected one of {choices}.")
