"""From loss functions to fitness: the evaluator, its fitness rules, its journal, and the pool of local devices."""

from glojax.evaluation.device_pool import DevicePool as DevicePool
from glojax.evaluation.evaluator import (
    Completed as Completed,
    Evaluator as Evaluator,
    LocalEvaluator as LocalEvaluator,
    PoolEvaluator as PoolEvaluator,
    evaluate as evaluate,
)
from glojax.evaluation.fingerprint import Shape as Shape, shape_of as shape_of
from glojax.evaluation.fitness import (
    FITNESS_SPLIT as FITNESS_SPLIT,
    Evaluation as Evaluation,
    FitnessRule as FitnessRule,
    Rule as Rule,
    Status as Status,
    Trial as Trial,
)
from glojax.evaluation.function_evaluator import FunctionEvaluator as FunctionEvaluator
from glojax.evaluation.journal import TrainingJournal as TrainingJournal, checksum as checksum
from glojax.evaluation.pool import Trained as Trained, Training as Training, TrainingPool as TrainingPool
from glojax.evaluation.race import RaceRule as RaceRule, Rung as Rung
from glojax.evaluation.runtime import (
    decisive_versions as decisive_versions,
    device_names as device_names,
    platform as platform,
    require_device as require_device,
    set_up_jax as set_up_jax,
    training_devices as training_devices,
)
