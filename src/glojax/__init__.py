"""glojax finds loss functions: genetic loss-function optimization (GLO) in JAX.

`python -m glojax.search` runs the whole job. As a library: `losses` holds the published losses in optax's form,
`make_loss` turns any expression into one, `train_population` trains many networks, each with a loss of its own, in one
compiled program, and `discover` searches for losses.
"""

from glojax import losses
from glojax.datasets import Dataset, load_dataset
from glojax.errors import GlojaxError
from glojax.evaluation import Evaluator, LocalEvaluator
from glojax.expressions import LossTree, canonical, to_latex
from glojax.strategies.genetic import GeneticConfig
from glojax.losses import LossProgram, make_loss
from glojax.search.discovery import Discovered, discover
from glojax.training import TrainingConfig, make_train, train_population

__all__ = [
    "Dataset",
    "Discovered",
    "Evaluator",
    "GeneticConfig",
    "GlojaxError",
    "LocalEvaluator",
    "LossProgram",
    "LossTree",
    "TrainingConfig",
    "canonical",
    "discover",
    "load_dataset",
    "losses",
    "make_loss",
    "make_train",
    "to_latex",
    "train_population",
]
