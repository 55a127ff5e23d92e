"""One candidate's training as a pure function, and populations of it."""

from glojax.training.augmentation import Augmentation
from glojax.training.config import TrainingConfig
from glojax.training.population import train_population
from glojax.training.train import Train, TrainResult, check_training, make_train

__all__ = [
    "Augmentation",
    "Train",
    "TrainResult",
    "TrainingConfig",
    "check_training",
    "make_train",
    "train_population",
]
