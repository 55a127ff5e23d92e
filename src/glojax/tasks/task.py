"""The tasks: classification, several labels, regression, and a class for each pixel."""

from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp

from glojax.datasets import TaskName
from glojax.expressions import Domain
from glojax.losses import DOMAINS, Link


@dataclass(frozen=True)
class Task:
    """What a loss makes of a network's outputs and of targets, and what is usual.

    Attributes:
        name: The name, as a `Dataset` has it, which describes the targets.
        link: How outputs become the y of an expression.
        metrics: The names in `METRICS` that fit; the first is the one by default.
        standard_losses: The names in `CATALOG` of the losses that a found loss is compared with.
    """

    name: TaskName
    link: Link
    metrics: tuple[str, ...]
    standard_losses: tuple[str, ...]

    @property
    def domain(self) -> Domain:
        """Where x and y lie."""
        return DOMAINS[self.link]

    def output_shape(self, target_shape: tuple[int, ...], num_outputs: int) -> tuple[int, ...]:
        """Return the shape of the outputs for one example, from that of its targets."""
        return (*target_shape, num_outputs) if self.name == "segmentation" else (num_outputs,)

    def labels(self, targets: jax.Array, num_outputs: int) -> jax.Array:
        """Return x for each output [B, ..., num_outputs] float32, from targets as a `Dataset` has them."""
        if self.link == "softmax" and jnp.issubdtype(targets.dtype, jnp.integer):
            return jax.nn.one_hot(targets, num_outputs, dtype=jnp.float32)
        return targets.astype(jnp.float32)

    def predictions(self, outputs: jax.Array) -> jax.Array:
        """Return y for outputs [..., num_outputs]: probabilities, or for regression the outputs."""
        match self.link:
            case "softmax":
                return jax.nn.softmax(outputs)
            case "sigmoid":
                return jax.nn.sigmoid(outputs)
            case "identity":
                return outputs


_CLASS_METRICS: Final = ("balanced_accuracy", "macro_f1", "log_likelihood", "calibration_error", "true_class_prob")
_CLASS_LOSSES: Final = ("cross_entropy", "baikal")

TASKS: Final[dict[TaskName, Task]] = {
    task.name: task
    for task in (
        Task("classification", "softmax", ("accuracy", *_CLASS_METRICS, "auc", "iou"), _CLASS_LOSSES),
        Task("multilabel", "sigmoid", ("macro_f1", "accuracy", "log_likelihood", "auc"), ("binary_cross_entropy",)),
        Task("regression", "identity", ("r2",), ("squared_error", "absolute_error", "huber", "log_cosh")),
        Task("segmentation", "softmax", ("iou", "accuracy", *_CLASS_METRICS), _CLASS_LOSSES),
    )
}
