"""From loss functions to fitness values, on the devices of this process."""

from glojax.evaluation.cache import Evaluation, FitnessCache, Status
from glojax.evaluation.device_pool import Candidates, DevicePool
from glojax.evaluation.evaluator import Evaluator, LocalEvaluator, OnEvaluation
from glojax.evaluation.journal import Training, TrainingJournal, checksum, training_context
from glojax.evaluation.trainer import PopulationTrainer

__all__ = [
    "Candidates",
    "DevicePool",
    "Evaluation",
    "Evaluator",
    "FitnessCache",
    "LocalEvaluator",
    "OnEvaluation",
    "PopulationTrainer",
    "Status",
    "Training",
    "TrainingJournal",
    "checksum",
    "training_context",
]
