"""Class probabilities for regular functions (see `glojax.losses.regular`), as `glojax.losses.softmax` has them for all.

Without log(1 - y), and with slopes in log(y) alone, few passes over the classes are enough for a loss and its gradient:
the largest logit; the exponentials of the differences from it; their sum; the sums of values and slopes; and the
gradient. With s_i the slope in log(y_i) and S the sum of all s_i, no term of it cancels:

    for a dominant class m:    (1 - y_m) s_m - y_m sum of s_i over i other than m
    for any other class k:     s_k - y_k S
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from glojax.losses.leaves import RegularLeaves, difference_of
from glojax.losses.softmax import LEAST_LOGIT, exp_of_difference

#: So many values are added one after the other, and processors do that in many places of the classes at once.
_NUM_BLOCKS = 8

_Pair = tuple[jax.Array, jax.Array]


class RegularSoftmax(NamedTuple):
    """The class probabilities of logits [..., C], in the place of `glojax.losses.softmax.Softmax`.

    Attributes:
        y: Probabilities.
        log_y: log(y).
        scale: 1 - y for a dominant class, 1 for the others.
    """

    y: jax.Array
    log_y: jax.Array
    scale: jax.Array

    @property
    def is_dominant(self) -> jax.Array:
        """Whether each class is dominant."""
        return self.scale < 1

    @classmethod
    def of(cls, logits: jax.Array, is_example: jax.Array | None = None) -> "RegularSoftmax":
        """Return the softmax of logits; one of minus infinity counts as -1e37, and so do all of padding."""
        return _softmax(*bounded(logits, is_example))

    def leaves(self, labels: jax.Array, prob_epsilon: float) -> RegularLeaves:
        """Return the leaves for labels [..., C]; in denominators y is at least `prob_epsilon`."""
        complement = jnp.where(self.is_dominant, self.scale, 1 - self.y)
        clipped_y = jnp.maximum(self.y, prob_epsilon)
        return RegularLeaves(
            x=labels,
            y=self.y,
            complement=complement,
            difference=difference_of(labels, self.y, complement),
            log_y=self.log_y,
            clipped_y=clipped_y,
            inverse_y=1 / clipped_y,
        )

    def slopes(self, leaves: RegularLeaves) -> dict[str, jax.Array]:
        """Return the derivatives in log(y) of the leaves that change; those of clipped ones are never 0."""
        return {
            "y": self.y,
            "complement": -self.y,
            "difference": -self.y,
            "log_y": jnp.ones_like(self.y),
            "clipped_y": leaves.clipped_y,
            "inverse_y": -leaves.inverse_y,
        }

    def sum_and_gradient(self, values: jax.Array, slopes: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return a sum over classes, and its gradient in the logits from the slope of each class; see `slopes`."""
        total, others, every = _sums(values, jnp.where(self.is_dominant, 0, slopes), slopes)
        return total[..., 0], slopes * self.scale - self.y * jnp.where(self.is_dominant, others, every)


def bounded(logits: jax.Array, is_example: jax.Array | None) -> _Pair:
    """Return logits, those of minus infinity and all of padding as -1e37, and the largest of each example [..., 1]."""
    top = jnp.max(lax.stop_gradient(logits), axis=-1, keepdims=True)
    # The bounds come after the maximum, as XLA would write to memory first what it takes the maximum of.
    top = jnp.where(top == -jnp.inf, LEAST_LOGIT, top)
    if is_example is None:
        return jnp.maximum(logits, LEAST_LOGIT), top
    top = jnp.where(is_example[..., None], top, LEAST_LOGIT)
    bound = jnp.where(is_example[..., None], LEAST_LOGIT, jnp.inf)
    return jnp.where(logits > bound, logits, LEAST_LOGIT), top


@jax.custom_jvp
def _softmax(logits: jax.Array, top: jax.Array) -> RegularSoftmax:
    powers = exp_of_difference(logits, top)
    is_top = powers == 1
    others, num_top = _sums(jnp.where(is_top, 0, powers), is_top.astype(logits.dtype))
    rest = others + (num_top - 1)
    inverse = 1 / (1 + rest)
    return RegularSoftmax(
        y=powers * inverse,
        log_y=logits - top - jnp.log1p(rest),
        scale=jnp.where(is_top, jnp.where(rest < 1, rest * inverse, 1), 1),
    )


@_softmax.defjvp
def _softmax_jvp(primals: _Pair, tangents: _Pair) -> tuple[RegularSoftmax, RegularSoftmax]:
    softmax, (change, _) = _softmax(*primals), tangents
    parts = softmax.y * change
    others = jnp.sum(jnp.where(softmax.is_dominant, 0, parts), axis=-1, keepdims=True)
    every = jnp.sum(parts, axis=-1, keepdims=True)
    log_y = softmax.scale * change - jnp.where(softmax.is_dominant, others, every)
    y = softmax.y * log_y
    return softmax, RegularSoftmax(y, log_y, jnp.where(softmax.is_dominant, -y, 0))


@jax.custom_jvp
def _sums(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Return the sums over the classes of arrays [..., C], each [..., 1].

    XLA fuses a reduction of several arrays with what computes them; that of one, on a CPU, it writes to memory first.
    """
    num_classes = arrays[0].shape[-1]
    if num_classes <= 2 * _NUM_BLOCKS:
        return tuple(each[..., None] for each in _reduced(arrays, axis=-1))
    size = num_classes // _NUM_BLOCKS
    whole, rest = zip(*(jnp.split(each, [size * _NUM_BLOCKS], axis=-1) for each in arrays), strict=True)
    sums = _reduced([each.reshape(*each.shape[:-1], _NUM_BLOCKS, size) for each in whole], axis=-2)
    found: tuple[jax.Array, ...] = _sums(*(jnp.concatenate(both, axis=-1) for both in zip(sums, rest, strict=True)))
    return found


@_sums.defjvp
def _sums_jvp(arrays: Any, changes: Any) -> Any:
    return _sums(*arrays), tuple(jnp.sum(change, axis=-1, keepdims=True) for change in changes)


def _reduced(arrays: Sequence[jax.Array], axis: int) -> list[jax.Array]:
    zeros = [jnp.zeros((), each.dtype) for each in arrays]
    sums: list[jax.Array] = lax.reduce(
        list(arrays), zeros, lambda a, b: list(map(jnp.add, a, b)), (arrays[0].ndim + axis,)
    )
    return sums
