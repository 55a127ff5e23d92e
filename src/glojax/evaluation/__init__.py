"""From loss functions to fitness: the evaluator, its fitness rules, its journal, and the pool of local devices."""

from glojax.evaluation.device_pool import DevicePool
from glojax.evaluation.devices import device_names, training_devices
from glojax.evaluation.evaluator import Completed, Evaluator, LocalEvaluator, PoolEvaluator, evaluate
from glojax.evaluation.fitness import FITNESS_SPLIT, Evaluation, FitnessRule, Status, Trial
from glojax.evaluation.journal import TrainingJournal, checksum
from glojax.evaluation.pool import GRACE_SECONDS, Trained, Training, TrainingPool
from glojax.evaluation.results import crashed_result, recorded_result, result_record
from glojax.evaluation.runtime import decisive_versions, keep_compiled_programs, keep_to_cores, num_cores, platform

__all__ = [
    "FITNESS_SPLIT",
    "GRACE_SECONDS",
    "Completed",
    "DevicePool",
    "Evaluation",
    "Evaluator",
    "FitnessRule",
    "LocalEvaluator",
    "PoolEvaluator",
    "Status",
    "Trained",
    "Training",
    "TrainingJournal",
    "TrainingPool",
    "Trial",
    "checksum",
    "crashed_result",
    "decisive_versions",
    "device_names",
    "evaluate",
    "keep_compiled_programs",
    "keep_to_cores",
    "num_cores",
    "platform",
    "recorded_result",
    "result_record",
    "training_devices",
]
