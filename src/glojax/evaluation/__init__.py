"""From loss functions to fitness values, on the devices of this process."""

from glojax.evaluation.cache import Evaluation, FitnessCache, Status, evaluation_context
from glojax.evaluation.device_pool import Candidates, DevicePool
from glojax.evaluation.evaluator import Evaluator, LocalEvaluator, OnEvaluation

__all__ = [
    "Candidates",
    "DevicePool",
    "Evaluation",
    "Evaluator",
    "FitnessCache",
    "LocalEvaluator",
    "OnEvaluation",
    "Status",
    "evaluation_context",
]
