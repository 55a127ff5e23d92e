"""One candidate's training as a pure function, and populations of it."""

from glojax.training.augmentation import Augmentation
from glojax.training.checks import check_training
from glojax.training.config import TrainingConfig
from glojax.training.population import train_population
from glojax.training.segments import chunk_bytes, train_in_segments
from glojax.training.train import Train, TrainResult, TrainState, make_train

__all__ = [
    "Augmentation",
    "Train",
    "TrainResult",
    "TrainState",
    "TrainingConfig",
    "check_training",
    "chunk_bytes",
    "make_train",
    "train_in_segments",
    "train_population",
]
