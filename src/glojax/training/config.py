"""How one candidate is trained."""

from dataclasses import dataclass

from glojax.errors import ConfigurationError
from glojax.losses import ClassReduction, check_objective
from glojax.losses.objective import DEFAULT_PROB_EPSILON

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

    Raises:
        ConfigurationError: A value is out of its range.
    """

    num_steps: int
    batch_size: int
    learning_rate: float
    class_reduction: ClassReduction = "sum"
    prob_epsilon: float = DEFAULT_PROB_EPSILON
    splits: tuple[str, ...] = ("validation",)

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size"):
            value = getattr(self, name)
            if not 1 <= value <= MAX_COUNT:
                raise ConfigurationError(f"{name} is {value}; expected a whole number from 1 to {MAX_COUNT}.")
        if not 0 < self.learning_rate < float("inf"):
            raise ConfigurationError(f"learning_rate is {self.learning_rate}; expected a positive number.")
        object.__setattr__(self, "splits", tuple(self.splits))
        check_objective(self.class_reduction, self.prob_epsilon)
        if not self.splits or not set(self.splits) <= {"validation", "test"}:
            raise ConfigurationError(f"splits is {self.splits}; expected one or both of 'validation' and 'test'.")
