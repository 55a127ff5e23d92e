"""The tuning of coefficients with CMA-ES."""

from glojax.strategies.coefficients.cma import CmaEs as CmaEs, default_population_size as default_population_size
from glojax.strategies.coefficients.config import TuningConfig as TuningConfig
from glojax.strategies.coefficients.layout import CoefficientLayout as CoefficientLayout
from glojax.strategies.coefficients.search import CoefficientSearch as CoefficientSearch, LossTuning as LossTuning
