"""The numbers that the figures show."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree
from glojax.losses import compile_tree


class LossCurve(NamedTuple):
    """A loss along a line of predictions."""

    points: np.ndarray  # [N] float64; probability of the true class, or the prediction
    loss: np.ndarray  # [N] float64; the loss there, which may be NaN or infinite

    @property
    def minimum(self) -> float:
        """The point at which the loss is least; NaN if the loss is finite nowhere."""
        finite = np.isfinite(self.loss)
        return float(self.points[finite][np.argmin(self.loss[finite])]) if finite.any() else float("nan")

    def above(self, least_prob: float) -> "LossCurve":
        """Return the part of the curve where the true class has at least this probability."""
        kept = self.points >= least_prob
        return LossCurve(self.points[kept], self.loss[kept])


def binary_loss_curve(tree: LossTree, num_points: int = 999) -> LossCurve:
    """Return the loss with two classes, `-(f(1, y) + f(0, 1 - y))`, over evenly spaced probabilities y within (0, 1).

    Source: Gonzalez and Miikkulainen (2020), figure 6.

    Examples:
        >>> round(binary_loss_curve(LossTree.parse("log(y) - x / y")).minimum, 2)
        0.71
    """
    probs = np.linspace(0, 1, num_points + 2)[1:-1]
    function = compile_tree(tree)
    right = jnp.asarray(probs, jnp.float32)
    loss = -(function(jnp.ones_like(right), right) + function(jnp.zeros_like(right), 1 - right))
    return LossCurve(probs, np.asarray(loss, np.float64))


def distance_loss_curve(tree: LossTree, num_points: int = 999) -> LossCurve:
    """Return the loss of a number, `-f(0, y)`, over evenly spaced predictions y from -3 to 3 of the target 0.

    Examples:
        >>> distance_loss_curve(LossTree.parse("-(x - y)^2")).minimum
        0.0
    """
    predictions = np.linspace(-3, 3, num_points)
    y = jnp.asarray(predictions, jnp.float32)
    return LossCurve(predictions, np.asarray(-compile_tree(tree)(jnp.zeros_like(y), y), np.float64))


def scaled(curve: LossCurve) -> np.ndarray:
    """Return the loss of a curve, scaled so that its least finite value is 0 and its greatest 1, to compare shapes."""
    finite = curve.loss[np.isfinite(curve.loss)]
    if not finite.size or np.ptp(finite) == 0:
        return np.full_like(curve.loss, np.nan)
    return np.asarray((curve.loss - finite.min()) / np.ptp(finite))
