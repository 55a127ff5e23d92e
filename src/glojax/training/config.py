"""How one candidate is trained."""

from dataclasses import dataclass
from numbers import Integral
from typing import get_args

from glojax.errors import ConfigurationError
from glojax.losses import ClassReduction
from glojax.losses.objective import DEFAULT_PROB_EPSILON, check_objective
from glojax.training.augmentation import Augmentation

#: Counts are int32 on the device, and must not wrap at the end of an epoch.
MAX_COUNT = 2**30


@dataclass(frozen=True)
class TrainingConfig:
    """Budget and hyperparameters of a training.

    Attributes:
        num_steps: SGD steps, at least 1.
        batch_size: Images a step, at least 1.
        learning_rate: Step size of plain SGD, above 0; a training may be given another.
        class_reduction: How a loss is reduced over the classes, "sum" or "mean".
        prob_epsilon: Lower bound that probabilities are clipped to, in [0, 1).
        splits: On which of "validation" and "test" accuracy is measured in the end.
        weight_decay: Strength of the L2 penalty weight_decay / 2 * |w|^2 on what the network marks as `DecayedParam`;
            at least 0, and 0 where it marks nothing.
        decay_every_epochs: The learning rate, given or configured, becomes a tenth after every so many epochs; at least
            1. None keeps it.
        augmentation: What is done to the images: "none", or "cifar" (random crops of 24x24, flips, brightness and
            contrast in training, the centre in evaluation, all standardised).

    Raises:
        ConfigurationError: A value is out of its range.
    """

    num_steps: int
    batch_size: int
    learning_rate: float
    class_reduction: ClassReduction = "sum"
    prob_epsilon: float = DEFAULT_PROB_EPSILON
    splits: tuple[str, ...] = ("validation",)
    weight_decay: float = 0.0
    decay_every_epochs: int | None = None
    augmentation: Augmentation = "none"

    def __post_init__(self) -> None:
        self._require_count("num_steps")
        self._require_count("batch_size")
        if not 0 < self.learning_rate < float("inf"):
            raise ConfigurationError(f"learning_rate is {self.learning_rate}; expected a positive number.")
        check_objective(self.class_reduction, self.prob_epsilon)
        if not self.splits or not set(self.splits) <= {"validation", "test"}:
            raise ConfigurationError(
                f"splits is {self.splits!r}; expected a tuple with one or both of 'validation' and 'test'."
            )
        object.__setattr__(self, "splits", tuple(self.splits))
        if not 0 <= self.weight_decay < float("inf"):
            raise ConfigurationError(f"weight_decay is {self.weight_decay}; expected a number of at least 0.")
        if self.decay_every_epochs is not None:
            self._require_count("decay_every_epochs")
        if self.augmentation not in get_args(Augmentation):
            raise ConfigurationError(f"augmentation is {self.augmentation!r}; expected 'none' or 'cifar'.")

    def _require_count(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, Integral) or not 1 <= int(value) <= MAX_COUNT:
            raise ConfigurationError(f"{name} is {value!r}; expected a whole number from 1 to {MAX_COUNT}.")
