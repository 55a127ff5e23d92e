"""One candidate's training as a pure function, and populations of it."""

from glojax.training.augmentation import Augmentation
from glojax.training.checks import check_training
from glojax.training.config import TrainingConfig, config_record, recorded_config
from glojax.training.identity import computation_identity, decisive_settings
from glojax.training.metrics import METRICS, Metric
from glojax.training.optimizer import Optimizer, OptimizerFactory
from glojax.training.population import train_population
from glojax.training.segments import chunk_bytes, train_in_segments
from glojax.training.train import Train, TrainResult, TrainState, make_train

__all__ = [
    "METRICS",
    "Augmentation",
    "Metric",
    "Optimizer",
    "OptimizerFactory",
    "Train",
    "TrainResult",
    "TrainState",
    "TrainingConfig",
    "check_training",
    "chunk_bytes",
    "computation_identity",
    "config_record",
    "decisive_settings",
    "make_train",
    "recorded_config",
    "train_in_segments",
    "train_population",
]
