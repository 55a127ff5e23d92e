"""glojax finds loss functions: genetic loss-function optimization (GLO) in JAX.

`python -m glojax.search` runs the whole job. As a library: `losses` holds the published losses in optax's form,
`make_loss` turns any expression into one, `train_population` trains many networks, each with a loss of its own, in one
compiled program, and `discover`, `tune` and `compare` search for losses; `Search` drives any strategy.
"""

from glojax import losses
from glojax.datasets import Dataset, load_dataset
from glojax.errors import GlojaxError
from glojax.evaluation import Evaluation, Evaluator, FitnessRule, LocalEvaluator, evaluate
from glojax.expressions import LossTree, canonical, to_latex
from glojax.losses import LossProgram, make_loss
from glojax.search.comparison import compare
from glojax.search.generations import Discovered, discover
from glojax.search.loop import Search
from glojax.search.saved_run import SavedRun, load_run
from glojax.search.tuning import tune
from glojax.strategies import (
    CoefficientSearch,
    GenerationalSearch,
    GeneticConfig,
    RandomSearch,
    SteadyStateSearch,
    Strategy,
    TuningConfig,
)
from glojax.training import Optimizer, TrainingConfig, make_train, train_population

__all__ = [
    "CoefficientSearch",
    "Dataset",
    "Discovered",
    "Evaluation",
    "Evaluator",
    "FitnessRule",
    "GenerationalSearch",
    "GeneticConfig",
    "GlojaxError",
    "LocalEvaluator",
    "LossProgram",
    "LossTree",
    "Optimizer",
    "RandomSearch",
    "SavedRun",
    "Search",
    "SteadyStateSearch",
    "Strategy",
    "TrainingConfig",
    "TuningConfig",
    "canonical",
    "compare",
    "discover",
    "evaluate",
    "load_dataset",
    "load_run",
    "losses",
    "make_loss",
    "make_train",
    "to_latex",
    "train_population",
    "tune",
]
