"""The tuning of coefficients with CMA-ES."""

from glojax.strategies.coefficients.cma import CmaEs, default_population_size
from glojax.strategies.coefficients.config import TuningConfig
from glojax.strategies.coefficients.layout import CoefficientLayout
from glojax.strategies.coefficients.search import CoefficientSearch, LossTuning

__all__ = [
    "CmaEs",
    "CoefficientLayout",
    "CoefficientSearch",
    "LossTuning",
    "TuningConfig",
    "default_population_size",
]
