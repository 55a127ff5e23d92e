r"""What a loss does to one example: its value, and its pull on the logit of the true class, in float64 and uncompiled.

The pull is minus the gradient. With a softmax, y the probabilities and g_i = df/dy(x_i, y_i),

    pull = y_t ((1 - y_t) g_t - sum of y_i g_i over the other classes);

with a sigmoid it is y (1 - y) g, and for a number g itself. `glojax.evaluation.fingerprint` derives it.
"""

from typing import NamedTuple

import numpy as np

from glojax.expressions import LossTree
from glojax.losses import Link
from glojax.losses.slopes import Values, evaluate_tree, leaves_of, slopes_of

_NUM_POINTS = 241


class Effect(NamedTuple):
    """What a loss does along a line of predictions, all [N]."""

    points: Values  # probability of the true class, or the prediction for the target 1
    loss: Values
    pull: Values

    def scaled(self, start: float) -> "Effect":
        """Return the same at another learning rate and with another constant: a pull of 1 at `start`, a loss from 0."""
        with np.errstate(all="ignore"):
            scale = abs(float(np.interp(start, self.points, self.pull)))
            if not 0 < scale < np.inf:
                scale = float(np.max(np.abs(self.pull[np.isfinite(self.pull)]), initial=0.0)) or 1.0
            least = np.min(self.loss[np.isfinite(self.loss)], initial=np.inf)
            return Effect(self.points, (self.loss - least) / scale, self.pull / scale)


def effect(tree: LossTree, link: Link, num_classes: int, prob_epsilon: float) -> Effect:
    """Return what a loss does to an example of any probability, the other classes having equal ones.

    With a sigmoid, the label is there; a number is predicted from -2 to 4, and its target is 1.
    """
    if link == "identity":
        points = np.linspace(-2, 4, _NUM_POINTS)
        return Effect(points, *_of_number(tree, points, prob_epsilon))
    points = np.linspace(0, 1, _NUM_POINTS + 2)[1:-1]
    return Effect(points, *of_classes(tree, points, (1 - points) / (num_classes - 1), num_classes, prob_epsilon, link))


@np.errstate(all="ignore")
def of_classes(
    tree: LossTree, true: Values, wrong: Values, num_classes: int, prob_epsilon: float, link: Link = "softmax"
) -> tuple[Values, Values]:
    """Return loss and pull [N] for probabilities [N] of the true class and of one other; the rest is shared evenly."""
    others = max(num_classes - 2, 1)
    rest = np.clip(1 - true - wrong, 0, None) / others if num_classes > 2 else np.full_like(true, 0.5)
    counts = np.array([[1], [1], [num_classes - 2]]) if link == "softmax" else np.array([[1], [0], [0]])
    probs, labels = np.stack([true, wrong, rest]), np.zeros((3, len(true)))
    labels[0] = 1
    leaves = leaves_of(labels, probs, 1 - probs, prob_epsilon)
    values, slopes = evaluate_tree(tree, leaves, slopes_of(leaves))
    slopes = np.zeros_like(values) if slopes is None else slopes
    # What no class has is no part of a sum, even where it is not finite.
    loss = -np.where(counts > 0, counts * values, 0).sum(axis=0)
    weighted = np.where(counts > 0, counts * probs * slopes, 0)
    return loss, probs[0] * ((1 - probs[0]) * slopes[0] - weighted[1:].sum(axis=0))


@np.errstate(all="ignore")
def _of_number(tree: LossTree, predictions: Values, prob_epsilon: float) -> tuple[Values, Values]:
    """Return loss and pull for predictions of the target 1."""

    def away_from_zero(values: Values) -> Values:
        return np.where(np.abs(values) < prob_epsilon, prob_epsilon, values)

    gap = away_from_zero(1 - predictions)
    one = np.ones_like(predictions)
    leaves = {"x": one, "y": predictions, "complement": 1 - predictions, "difference": 1 - predictions}
    leaves |= {"clipped_y": away_from_zero(predictions), "clipped_complement": gap, "clipped_difference": gap}
    rises = {name: one if name.endswith("y") else -one for name in leaves if name != "x"}
    values, slopes = evaluate_tree(tree, leaves, rises, domain="real")
    return -values, np.zeros_like(one) if slopes is None else slopes
