"""glojax finds loss functions: genetic loss-function optimization (GLO) in JAX.

`glojax`, or `python -m glojax.search`, runs the whole job. As a library: `losses` holds the published losses in optax's
form, `make_loss` turns any expression into one, `train_population` trains many networks, each with a loss of its own,
in one compiled program, and `discover`, `tune` and `compare` search for losses; `Search` drives any strategy.
"""

from glojax import startup as startup  # before all others

# isort: split
from glojax import losses as losses
from glojax.datasets import Dataset as Dataset, load_dataset as load_dataset
from glojax.errors import GlojaxError as GlojaxError
from glojax.evaluation import (
    Evaluation as Evaluation,
    Evaluator as Evaluator,
    FitnessRule as FitnessRule,
    FunctionEvaluator as FunctionEvaluator,
    LocalEvaluator as LocalEvaluator,
    RaceRule as RaceRule,
    evaluate as evaluate,
    shape_of as shape_of,
)
from glojax.expressions import LossTree as LossTree, canonical as canonical, to_latex as to_latex
from glojax.losses import LossProgram as LossProgram, make_loss as make_loss
from glojax.notebook import register_displays
from glojax.search.comparison import compare as compare
from glojax.search.generations import Discovered as Discovered, discover as discover
from glojax.search.loop import Search as Search
from glojax.search.saved_run import SavedRun as SavedRun, load_run as load_run
from glojax.search.tuning import tune as tune
from glojax.strategies import (
    CoefficientSearch as CoefficientSearch,
    GenerationalSearch as GenerationalSearch,
    GeneticConfig as GeneticConfig,
    NewShapes as NewShapes,
    RandomSearch as RandomSearch,
    ShapeSearch as ShapeSearch,
    SteadyStateSearch as SteadyStateSearch,
    Strategy as Strategy,
    TaylorConfig as TaylorConfig,
    TaylorSearch as TaylorSearch,
    TuningConfig as TuningConfig,
)
from glojax.tasks import Metric as Metric
from glojax.training import (
    Optimizer as Optimizer,
    TrainingConfig as TrainingConfig,
    make_train as make_train,
    train_population as train_population,
)

register_displays()
del register_displays
