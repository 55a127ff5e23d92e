"""One candidate's training as a pure function, and populations of it."""

from glojax.training.config import TrainingConfig
from glojax.training.population import train_population
from glojax.training.train import Train, TrainResult, make_train

__all__ = ["Train", "TrainResult", "TrainingConfig", "make_train", "train_population"]
