"""Metrics: how well the outputs of a network fit the targets of a whole split.

They are those of scikit-learn, in float32. All pixels of a split are scored together, each with its image's weight.
An example whose outputs hold a NaN is one that is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

#: Maps outputs [N, ..., C] float32 (logits, or numbers for regression), targets [N, ...] as a `Dataset` has them, and
#: weights [N] float32 to a score [], for tracing under `jit` and `vmap`.
MetricFunction: TypeAlias = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]

#: Bins of confidence in the calibration error.
NUM_BINS: Final = 15


@dataclass(frozen=True)
class Metric:
    """A function of outputs, targets and weights, and how its scores are to be read.

    Attributes:
        function: The function.
        lower_is_better: Whether a lower score is better; the fitness is then minus the score.
        worst: The score of a training that failed. None where no score is the worst: then a loss has no fitness unless
            all its trainings end.

    Examples:
        >>> def squared_error(outputs, targets, weights):
        ...     return jnp.average(jnp.square(outputs - targets).mean(axis=-1), weights=weights)
        >>> metric = Metric(squared_error, lower_is_better=True)
        >>> float(metric(jnp.array([[1.0], [4.0]]), jnp.array([[2.0], [2.0]]), jnp.array([3.0, 1.0])))
        1.75
    """

    function: MetricFunction
    lower_is_better: bool = False
    worst: float | None = None

    def __call__(self, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
        """Return the score [] of outputs [N, ..., C] for targets [N, ...] with weights [N]."""
        return self.function(outputs, targets, weights)


def accuracy(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the share of examples whose largest output is at their class, or of labels on the right side of 0."""
    if _are_labels(outputs, targets):
        is_right = ((outputs > 0) == (targets > 0)) & ~jnp.isnan(outputs)
        return _mean(is_right.astype(jnp.float32).mean(axis=-1), weights)
    outputs, targets, weights = _flat(outputs, targets, weights)
    is_right = (jnp.argmax(outputs, axis=-1) == _classes(targets)) & ~jnp.isnan(outputs).any(axis=-1)
    return _mean(is_right.astype(jnp.float32), weights)


def balanced_accuracy(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the mean, over the classes that occur, of the share of their examples that are right."""
    right, actual, _ = _counts(outputs, targets, weights)
    return _mean_where(actual > 0, right / jnp.where(actual > 0, actual, 1))


def macro_f1(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the mean F1 score over the labels, or over the classes that occur or are predicted."""
    right, actual, predicted = _counts(outputs, targets, weights)
    either = actual + predicted
    counts = jnp.ones_like(either, bool) if _are_labels(outputs, targets) else either > 0
    return _mean_where(counts, 2 * right / jnp.where(either > 0, either, 1))


def iou(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the mean intersection over union, the Jaccard index, of the classes that occur or are predicted."""
    right, actual, predicted = _counts(outputs, targets, weights)
    union = actual + predicted - right
    return _mean_where(union > 0, right / jnp.where(union > 0, union, 1))


def log_likelihood(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the mean logarithm of the probability of an example's class, or of each of its labels."""
    if _are_labels(outputs, targets):
        return _mean(jax.nn.log_sigmoid(jnp.where(targets > 0, outputs, -outputs)).mean(axis=-1), weights)
    outputs, targets, weights = _flat(outputs, targets, weights)
    return _mean(_at_class(jax.nn.log_softmax(outputs), targets), weights)


def true_class_prob(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the mean probability of an example's own class."""
    outputs, targets, weights = _flat(outputs, targets, weights)
    return _mean(_at_class(jax.nn.softmax(outputs), targets), weights)


def calibration_error(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the expected calibration error: by how much confidence and accuracy differ, in 15 equal bins.

    Source: Guo et al. (2017), On calibration of modern neural networks, equation 3.
    """
    outputs, targets, weights = _flat(outputs, targets, weights)
    confidence, bins = _confidence(outputs)
    excess = (jnp.argmax(outputs, axis=-1) == _classes(targets)).astype(jnp.float32) - confidence
    return jnp.abs((excess * weights) @ bins).sum() / weights.sum()


def auc(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the area under the ROC curve: of class 1 of two, else the mean over labels, or classes against the rest.

    It is NaN where a class has no example or no other.
    """
    if not _are_labels(outputs, targets):
        targets = jax.nn.one_hot(_classes(targets), outputs.shape[-1], dtype=jnp.int32)
        outputs = jax.nn.log_softmax(outputs)
        if outputs.shape[-1] == 2:
            outputs, targets = outputs[:, 1:] - outputs[:, :1], targets[:, 1:]

    def area(scores: jax.Array, labels: jax.Array) -> jax.Array:
        positive, negative = weights * labels, weights * (1 - labels)
        order = jnp.argsort(scores)
        below = jnp.concatenate([jnp.zeros(1), jnp.cumsum(negative[order])])
        ranks = (jnp.searchsorted(scores[order], scores, side=side) for side in ("left", "right"))
        return (positive * sum(below[rank] for rank in ranks)).sum() / 2 / (positive.sum() * negative.sum())

    return jax.vmap(area, in_axes=1)(outputs, targets.astype(jnp.float32)).mean()


def r2(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Return the coefficient of determination, R^2, the mean over the numbers: 1 at best, 0 for the mean of targets."""
    weights = weights[:, None]
    mean = (weights * targets).sum(axis=0) / weights.sum()
    residual = (weights * jnp.square(targets - outputs)).sum(axis=0)
    total = (weights * jnp.square(targets - mean)).sum(axis=0)
    shares = jnp.where(total > 0, residual / jnp.where(total > 0, total, 1), jnp.sign(residual))
    return (1 - shares).mean()


class ClassCounts(NamedTuple):
    """How the classes that a network predicts on a split fit the true ones, or the same of P networks along an axis.

    Attributes:
        confusion: [..., C, C] float32; the weight of the examples of each class, in rows, by the predicted class.
        bins: [..., 3, 15] float32; in equal bins of confidence, the probability of the predicted class: the weight of
            the examples, that of those which are right, and the weighted sum of the confidence.
    """

    confusion: jax.Array
    bins: jax.Array

    @classmethod
    def zeros(cls, P: int, C: int) -> "ClassCounts":
        """Return NumPy arrays for P networks and C classes."""
        return cls(np.zeros((P, C, C), np.float32), np.zeros((P, 3, NUM_BINS), np.float32))  # type: ignore[arg-type]


def count_classes(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> ClassCounts:
    """Return the counts for outputs [N, ..., C] of classes; what has a NaN is predicted as no class.

    Source: Guo et al. (2017), On calibration of modern neural networks, section 2, for the bins.
    """
    outputs, targets, weights = _flat(outputs, targets, weights)
    weights = jnp.where(jnp.isnan(outputs).any(axis=-1), 0, weights)
    confidence, bins = _confidence(jnp.nan_to_num(outputs))
    predicted, actual = jnp.argmax(outputs, axis=-1), _classes(targets)
    C = outputs.shape[-1]
    confusion = jnp.zeros((C, C), jnp.float32).at[actual, predicted].add(weights)
    is_right = (predicted == actual).astype(jnp.float32)
    return ClassCounts(confusion, jnp.stack([weights, weights * is_right, weights * confidence]) @ bins)


#: The metrics that have names.
METRICS: Final[dict[str, Metric]] = {
    **{
        function.__name__: Metric(function, worst=0.0)
        for function in (accuracy, balanced_accuracy, macro_f1, true_class_prob, auc, iou)
    },
    "calibration_error": Metric(calibration_error, lower_is_better=True, worst=1.0),
    **{function.__name__: Metric(function) for function in (log_likelihood, r2)},
}


def _are_labels(outputs: jax.Array, targets: jax.Array) -> bool:
    """Return whether targets are several labels, integers [N, C], and neither classes nor class probabilities."""
    return outputs.shape == targets.shape and bool(jnp.issubdtype(targets.dtype, jnp.integer))


def _flat(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return outputs [M, C], targets [M] or [M, C] and weights [M] of all pixels."""
    pixels = outputs[0, ..., 0].size
    is_soft = targets.ndim == outputs.ndim
    return (
        outputs.reshape(-1, outputs.shape[-1]),
        targets.reshape(-1, outputs.shape[-1]) if is_soft else targets.reshape(-1),
        weights if pixels == 1 else jnp.repeat(weights, pixels),
    )


def _classes(targets: jax.Array) -> jax.Array:
    return targets if targets.ndim == 1 else jnp.argmax(targets, axis=-1)


def _confidence(outputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the probability [M] of the predicted class, and one-hot bins of it [M, 15]."""
    confidence = jnp.max(jax.nn.softmax(outputs), axis=-1)
    indices = jnp.minimum(jnp.ceil(confidence * NUM_BINS).astype(jnp.int32), NUM_BINS) - 1
    return confidence, jax.nn.one_hot(indices, NUM_BINS, dtype=jnp.float32)


def _at_class(values: jax.Array, targets: jax.Array) -> jax.Array:
    """Return the values [M, C] at each class [M], or their mean by class probabilities [M, C]."""
    if targets.ndim == 1:
        return jnp.take_along_axis(values, targets[:, None], axis=-1)[:, 0]
    return (values * targets).sum(axis=-1)


def _counts(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return for each class or label the weight [C] of the examples that have it and get it, have it, and get it."""
    if _are_labels(outputs, targets):
        predicted, actual = (outputs > 0).astype(jnp.float32), targets.astype(jnp.float32)
    else:
        outputs, targets, weights = _flat(outputs, targets, weights)
        is_defined = ~jnp.isnan(outputs).any(axis=-1, keepdims=True)
        C = outputs.shape[-1]
        predicted = jax.nn.one_hot(jnp.argmax(outputs, axis=-1), C, dtype=jnp.float32) * is_defined.astype(jnp.float32)
        actual = jax.nn.one_hot(_classes(targets), C, dtype=jnp.float32)
    return weights @ (predicted * actual), weights @ actual, weights @ predicted


def _mean(scores: jax.Array, weights: jax.Array) -> jax.Array:
    return (scores * weights).sum() / weights.sum()


def _mean_where(counts: jax.Array, scores: jax.Array) -> jax.Array:
    return jnp.where(counts, scores, 0).sum() / counts.sum(dtype=jnp.float32)
