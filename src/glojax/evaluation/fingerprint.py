"""The fingerprint of a loss, which losses share that train alike, and its pull; for one-hot labels and a softmax.

Let y = softmax(z), L = -sum_i f(x_i, y_i) and g_i = df/dy(x_i, y_i). Then

    dL/dz_k = -y_k (g_k - sum_i y_i g_i),

so that `f + h(x)`, `f + c` and `f + c y` have the gradient of f, and `a f` has it a times: at a rate of r / a it trains
like f at r. The pull is the descent of the true class's logit in an untrained network, where each y is 1/n:

    pull(f) = (n - 1) / n^2 (g_true - g_other);

that of cross-entropy is (n - 1) / n. The fingerprint is the gradient at fixed probabilities over the pull, rounded.
docs/shape.md derives all of it, and says what changes under other optimizers than plain SGD.

Source: Gonzalez and Miikkulainen (2020, Effective regularization through loss-function metalearning), for the pull of
an untrained network; for any tree, and as the key of a candidate, it is ours.
"""

import hashlib
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses.objective import DEFAULT_PROB_EPSILON
from glojax.losses.slopes import Values, evaluate_tree, leaves_of, slopes_of

#: The least probability of a class.
_LEAST: Final = 1e-6

#: The share of the true class in what the classes have beyond `_LEAST`, and that of one wrong class in the rest.
_TRUE_SHARES: Final = (0, 1e-4, 1e-2, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999, 1)
_WRONG_SHARES: Final = (0, 0.3, 1)

#: Probabilities of the true class at the start of a training are those of an untrained network, and close to them.
_START_FACTORS: Final = (1.0, 0.97, 1.03)

#: Components of the gradient are rounded to a ten-thousandth of their size or, below `_SMALL`, of that.
_SMALL, _STEPS = 1e-3, 1e4

#: A sum of terms that cancel is 0 if it is below this share of their size; so is y df/dy beside f, as in `x * y / y`.
_CANCELLED: Final = 1e-11


class Shape(NamedTuple):
    """What a loss is apart from its scale.

    Attributes:
        fingerprint: 16 hexadecimal digits; equal for losses that train alike up to the learning rate.
        pull: The descent of the true class's logit in an untrained network; NaN if that is not defined.
        is_trainable: Whether in an untrained network the loss is finite, and its gradient finite and not 0, and depends
            on the label.
    """

    fingerprint: str
    pull: float
    is_trainable: bool


@lru_cache(2**14)
def shape_of(tree: LossTree, num_classes: int, prob_epsilon: float = DEFAULT_PROB_EPSILON) -> Shape:
    """Return the shape of a loss.

    Args:
        tree: The loss.
        num_classes: n, at least 2.
        prob_epsilon: Lower bound of y and 1 - y in denominators, as in a `TrainingConfig`.

    Raises:
        ConfigurationError: There are fewer than two classes.

    Examples:
        >>> one, other = (shape_of(LossTree.parse(text), 10) for text in ("x * log(y)", "x + 2 * (3 * y + log(y) * x)"))
        >>> one.fingerprint == other.fingerprint, round(one.pull, 6), round(other.pull, 6)
        (True, 0.9, 1.8)
    """
    return _probes(num_classes, prob_epsilon).shape(tree)


@lru_cache
def _probes(num_classes: int, prob_epsilon: float) -> "_Probes":
    return _Probes(num_classes, prob_epsilon)


class _Probes:
    """Fixed probabilities [V, 3]: of the true class, a wrong one, and each of the others."""

    def __init__(self, num_classes: int, prob_epsilon: float):
        n = num_classes
        if n < 2:
            raise ConfigurationError(f"num_classes is {n}; expected at least 2: with one class there is no gradient.")
        self._counts = np.array([1.0, 1.0, n - 2.0])
        self._is_used = self._counts > 0
        least = min(_LEAST, 0.01 / n)
        shares = np.array(
            [(true, (1 - true) * wrong, (1 - true) * (1 - wrong)) for true in _TRUE_SHARES for wrong in _WRONG_SHARES]
        )
        if n == 2:
            shares = np.array([(true, 1 - true, 0.0) for true in _TRUE_SHARES])
        probes = least + (1 - n * least) * shares / np.maximum(self._counts, 1)
        starts = np.array([(factor / n, *[(1 - factor / n) / (n - 1)] * 2) for factor in _START_FACTORS])
        self._num_starts = len(starts)
        self._probs = probs = np.concatenate([starts, probes])
        # 1 - y as the sum of the others.
        complements = (probs * self._counts) @ (1 - np.eye(3)) + probs * (self._counts - 1)
        # A fourth column has the true class's probability without its label.
        probs, complements = (np.column_stack([each, each[:, 0]]) for each in (probs, complements))
        labels = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), probs.shape)
        self._leaves = leaves_of(labels, probs, complements, prob_epsilon)
        self._slopes = slopes_of(self._leaves)

    @np.errstate(all="ignore")
    def shape(self, tree: LossTree) -> Shape:
        """Return the shape of a loss, from the gradient at each of the probabilities."""
        values, slopes = evaluate_tree(tree, self._leaves, self._slopes)
        if slopes is None:  # there is no y in it
            slopes = np.zeros_like(values)
        is_rounding = np.isfinite(values) & (np.abs(slopes * self._leaves["y"]) <= _CANCELLED * np.abs(values))
        slopes = np.where(is_rounding, 0, slopes)
        descents, terms = self._descents(slopes[:, :3])
        descents[~np.isfinite(values[:, :3][:, self._is_used]).all(axis=1)] = np.nan
        starts = np.isfinite(descents[: self._num_starts]).all(axis=1)
        is_moved = (np.abs(descents) > _CANCELLED * terms)[: self._num_starts][starts].any()
        is_label_used = not np.allclose(slopes[:, 0], slopes[:, 3], rtol=_CANCELLED, atol=0, equal_nan=True)
        pull = 0.0 if abs(descents[0, 0]) <= _CANCELLED * terms[0, 0] else float(descents[0, 0])
        scale = abs(pull) if abs(pull) > 0 else float(np.abs(descents[np.isfinite(descents)]).max(initial=0.0)) or 1.0
        relative = descents / scale
        rounded = np.rint(np.sign(relative) * np.log1p(np.abs(relative) / _SMALL) * _STEPS)
        # Beyond what float32 holds, and where it is undefined, a loss ends its training.
        is_held = np.abs(descents) < np.finfo(np.float32).max
        words = np.where(is_held, rounded, np.iinfo(np.int64).min).astype(np.int64)
        fingerprint = hashlib.sha256(words.tobytes()).hexdigest()[:16]
        return Shape(fingerprint, pull, is_label_used and bool(is_moved))

    def _descents(self, slopes: Values) -> tuple[Values, Values]:
        """Return minus the gradient in the logits and the size of its terms, both [V, 2 or 3], from df/dy [V, 3]."""
        weights = self._probs * self._counts
        weighted = np.where(self._is_used, weights * slopes, 0)
        others = weighted[:, 1:].sum(axis=1, keepdims=True)
        own = self._probs[:, :1] * (weights[:, 1:].sum(axis=1, keepdims=True) * slopes[:, :1] - others)
        rest = self._probs[:, 1:] * (slopes[:, 1:] - weighted[:, :1] - others)
        descents = np.concatenate([own, rest], axis=1)
        terms = self._probs * (np.abs(slopes) + np.abs(weighted).sum(axis=1, keepdims=True))
        return descents[:, self._is_used], terms[:, self._is_used]
