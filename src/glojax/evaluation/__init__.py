"""From loss functions to fitness values, on the devices of this process or of others."""

from glojax.evaluation.cache import Evaluation, FitnessCache, Status
from glojax.evaluation.device_pool import Candidates, DevicePool
from glojax.evaluation.devices import device_names, training_devices
from glojax.evaluation.evaluator import Evaluator, LocalEvaluator, OnDrawnEvaluation, OnEvaluation, TrainingEvaluator
from glojax.evaluation.journal import Training, TrainingJournal, checksum, training_context
from glojax.evaluation.runtime import decisive_versions, keep_compiled_programs, platform
from glojax.evaluation.trainer import Draw, PopulationTrainer, Trainer

__all__ = [
    "Candidates",
    "DevicePool",
    "Draw",
    "Evaluation",
    "Evaluator",
    "FitnessCache",
    "LocalEvaluator",
    "OnDrawnEvaluation",
    "OnEvaluation",
    "PopulationTrainer",
    "Status",
    "Trainer",
    "Training",
    "TrainingEvaluator",
    "TrainingJournal",
    "checksum",
    "decisive_versions",
    "device_names",
    "keep_compiled_programs",
    "platform",
    "training_context",
    "training_devices",
]
