"""Coefficients of a loss function, and the evolution strategy that tunes them."""

from glojax.coefficients.cma import Best, CmaEs, default_population_size
from glojax.coefficients.config import TuningConfig
from glojax.coefficients.layout import CoefficientLayout, FreeCoefficients, absorbed

__all__ = [
    "Best",
    "CmaEs",
    "CoefficientLayout",
    "FreeCoefficients",
    "TuningConfig",
    "absorbed",
    "default_population_size",
]
