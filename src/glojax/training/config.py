"""The description of a training."""

from collections import Counter
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Annotated, Any, get_args

import numpy as np
import tyro

from glojax.errors import ConfigurationError
from glojax.losses import ClassReduction
from glojax.losses.objective import DEFAULT_PROB_EPSILON, check_objective
from glojax.networks import Precision
from glojax.tasks import METRICS
from glojax.training.augmentation import Augmentation
from glojax.training.metrics import MetricField, find_metric
from glojax.training.named_functions import import_function, import_path, require_function
from glojax.training.optimizer import PLAIN_SGD, Optimizer, OptimizerField, check_optimizer

#: Counts are int32 on the device, and must not wrap at the end of an epoch.
MAX_COUNT = 2**30

#: A learning rate in this range is an ordinary float32 number, and so are its multiples from 0.3 to 30.
MIN_RATE, MAX_RATE = 1e-37, 1e37

_OPTIONAL_COUNTS = ("decay_every_epochs", "evaluate_every", "patience")


@dataclass(frozen=True)
class TrainingConfig:
    """Budget and hyperparameters of a training; hashable.

    Raises:
        ConfigurationError: A value is out of its range.

    Examples:
        >>> config = TrainingConfig(num_steps=200, batch_size=64, learning_rate=0.001, optimizer="adam")
        >>> config.optimizer
        Optimizer(name='adam', arguments=())
    """

    num_steps: Annotated[int, tyro.conf.arg(name="steps")]
    """Steps of the optimizer, at least 1."""
    batch_size: int
    """Images in each step, at least 1."""
    learning_rate: float
    """Step size of the optimizer, from 1e-37 to 1e37; a single training may be given another."""
    class_reduction: ClassReduction = "sum"
    """How a loss is reduced over the classes."""
    prob_epsilon: float = DEFAULT_PROB_EPSILON
    """Lower bound, in [0, 0.5), of y and 1 - y in denominators; 0 leaves them as they are."""
    splits: tyro.conf.Suppress[tuple[str, ...]] = ("validation",)
    """Splits that the metric is measured on in the end: "validation", "test", or both."""
    weight_decay: float = 0.0
    """Strength, from 0 to 1e37, of the L2 penalty weight_decay / 2 * |w|^2 on each `DecayedParam` of the network."""
    decay_every_epochs: int | None = None
    """Epochs, at least 1, after which the learning rate becomes a tenth, again and again; None keeps it."""
    augmentation: Augmentation = "none"
    """Random changes of the images: "cifar" crops 24x24 pixels, flips, and varies brightness and contrast."""
    optimizer: OptimizerField = PLAIN_SGD
    """An optimizer of optax, such as adam, or any function of a learning rate that returns one."""
    metric: MetricField = None
    """The score on a whole split: a name, or a function of outputs [N, ...], targets [N, ...] and weights [N]. By
    default that of the task: accuracy, macro_f1, r2 or iou."""
    evaluate_every: int | None = None
    """Steps, at least 1, after which the validation split is measured, again and again, and at the end; None for the
    end alone."""
    patience: int | None = None
    """Evaluations, at least 1, without a better one after which a training stops; the network of the best is kept."""
    counts_classes: tyro.conf.Suppress[bool] = False
    """Whether the predicted classes are counted on the test split in the end: `TrainResult.class_counts`."""
    precision: Precision | None = None
    """What products are computed in: float32, tf32 or bf16; parameters and sums are of float32 always. None for what
    JAX is set to: by default tf32 on a GPU, and float32 on a CPU, which has no tf32."""

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size", *_OPTIONAL_COUNTS):
            value = getattr(self, name)
            if name in _OPTIONAL_COUNTS and value is None:
                continue
            if not isinstance(value, Integral) or not 1 <= int(value) <= MAX_COUNT:
                raise ConfigurationError(f"{name} is {value!r}; expected a whole number from 1 to {MAX_COUNT}.")
            object.__setattr__(self, name, int(value))
        require_rates("learning_rate", self.learning_rate)
        check_objective(self.class_reduction, self.prob_epsilon)
        if not self.splits or not set(self.splits) <= {"validation", "test"}:
            raise ConfigurationError(
                f"splits is {self.splits!r}; expected a tuple with one or both of 'validation' and 'test'."
            )
        object.__setattr__(self, "splits", tuple(self.splits))
        if self.evaluate_every is not None and "validation" not in self.splits:
            raise ConfigurationError(
                f"evaluate_every is {self.evaluate_every}, but splits is {self.splits}; expected 'validation' in it."
            )
        if self.counts_classes and "test" not in self.splits:
            raise ConfigurationError(f"counts_classes is True, but splits is {self.splits}; expected 'test' in it.")
        if self.patience is not None and self.evaluate_every is None:
            raise ConfigurationError(
                f"patience is {self.patience} evaluations, but evaluate_every is None: give it, too, in steps."
            )
        if not 0 <= self.weight_decay <= MAX_RATE:
            raise ConfigurationError(f"weight_decay is {self.weight_decay}; expected a number from 0 to {MAX_RATE}.")
        if self.augmentation not in get_args(Augmentation):
            raise ConfigurationError(f"augmentation is {self.augmentation!r}; expected 'none' or 'cifar'.")
        if self.precision not in (None, *get_args(Precision)):
            raise ConfigurationError(
                f"precision is {self.precision!r}; expected {', '.join(get_args(Precision))} or None."
            )
        if isinstance(self.optimizer, str):
            object.__setattr__(self, "optimizer", Optimizer(self.optimizer))
        elif not isinstance(self.optimizer, Optimizer):
            require_function("optimizer", self.optimizer)
            check_optimizer(self.optimizer, getattr(self.optimizer, "__qualname__", repr(self.optimizer)))
        if isinstance(self.metric, str) and self.metric not in METRICS:
            find_metric(self.metric)
            object.__setattr__(self, "metric", import_function(self.metric))
        if self.metric is not None and not isinstance(self.metric, str):
            require_function("metric", self.metric)
        for name in ("learning_rate", "prob_epsilon", "weight_decay"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def has_free_end(self) -> bool:
        """Whether the number of steps changes nothing but when a training ends."""
        return self.decay_every_epochs is None and self.evaluate_every is None

    @property
    def evaluated_steps(self) -> tuple[int, ...]:
        """The numbers of steps [K] after which the validation split is measured on the way; the last is `num_steps`."""
        if self.evaluate_every is None:
            return ()
        return (*range(self.evaluate_every, self.num_steps, self.evaluate_every), self.num_steps)


def require_rates(name: str, *rates: float) -> None:
    """Raise ConfigurationError unless all learning rates are from `MIN_RATE` to `MAX_RATE`, and differ in float32."""
    for rate in rates:
        if not MIN_RATE <= rate <= MAX_RATE:
            raise ConfigurationError(
                f"{name} is {rate}; expected a positive number that float32 holds, from {MIN_RATE} to {MAX_RATE}."
            )
    counts = Counter(map(np.float32, rates))
    if repeated := [rate for rate in rates if counts[np.float32(rate)] > 1]:
        raise ConfigurationError(
            f"{name} has {' and '.join(map(str, repeated))}, which are one number in float32; give each rate once."
        )


def config_record(config: TrainingConfig) -> dict[str, Any]:
    """Return the configuration as a JSON object, which `recorded_config` reads; functions are "module:qualname"."""
    record = {field.name: getattr(config, field.name) for field in fields(config)} | {"splits": list(config.splits)}
    if isinstance(config.optimizer, Optimizer):
        record["optimizer"] = {"name": config.optimizer.name, "arguments": dict(config.optimizer.arguments)}
    else:
        record["optimizer"] = import_path(config.optimizer)
    if config.metric is not None and not isinstance(config.metric, str):
        record["metric"] = import_path(config.metric)
    return record


def recorded_functions(record: dict[str, Any]) -> list[str]:
    """Return the import paths of the functions that `recorded_config` imports for a record, and may call."""
    optimizer = record.get("optimizer")
    names = [optimizer.get("name") if isinstance(optimizer, dict) else optimizer, record.get("metric")]
    return [name for name in names if isinstance(name, str) and ":" in name]


def recorded_config(record: dict[str, Any]) -> TrainingConfig:
    """Return the configuration of a record, or raise ConfigurationError for an unknown field or a wrong value."""
    values = dict(record)
    try:
        if isinstance(optimizer := record.get("optimizer"), dict):
            values["optimizer"] = Optimizer.of(optimizer["name"], **optimizer["arguments"])
        elif isinstance(optimizer, str):
            values["optimizer"] = import_function(optimizer)
        config = TrainingConfig(**values)
    except (TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"Got {record}, which is no record of a training configuration: {error}.") from error
    again = config_record(config)
    for name, value in record.items():
        if again[name] != value:
            raise ConfigurationError(f"{name} is {value!r}, which is no recorded value of it.")
    return config
