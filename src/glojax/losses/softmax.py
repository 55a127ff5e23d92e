"""Class probabilities, as exact at both ends as the logits are, and derivatives through them.

With z the logits and m the class of the largest, all comes from the others: r = sum of exp(z_i - z_m) over i other than
m. So y_m = 1 / (1 + r), 1 - y_m = r / (1 + r) and log(y_m) = -log(1 + r), without a difference of nearly equal numbers.

The gradient of a sum of g_i(y_i) in the logits takes the slope of each class in log(y_i), which is y_i dg_i/dy_i; but
for a dominant class, of a probability above 1/2, the slope in its logit log(y_m / (1 - y_m)), which is the former times
1 - y_m. Both are finite where the gradient is, and no term of it cancels:

    for m:      s_m - y_m sum of s_i over i other than m
    for k:      s_k - y_k sum of s_i over i other than m - y_k / (1 - y_m) s_m
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from glojax.losses.leaves import Leaves, difference_of

# In the place of minus infinity, which would make 0 * log(y) NaN.
LEAST_LOGIT = -1e37


class Softmax(NamedTuple):
    """The class probabilities of logits [..., C].

    At most one class of an example has a probability above 1/2; it is called dominant.

    Attributes:
        y: Probabilities.
        complement: 1 - y.
        log_y: log(y).
        log_complement: log(1 - y).
        share: y / (1 - y_m) for the classes other than m: their shares in what a dominant one leaves.
    """

    y: jax.Array
    complement: jax.Array
    log_y: jax.Array
    log_complement: jax.Array
    share: jax.Array

    @property
    def is_dominant(self) -> jax.Array:
        """Whether each class is dominant."""
        return self.y > 0.5

    @classmethod
    def of(cls, logits: jax.Array, is_example: jax.Array | None = None) -> "Softmax":
        """Return the softmax of logits; one of minus infinity counts as -1e37, and all of padding as 0."""
        logits = logits if is_example is None else jnp.where(is_example[..., None], logits, 0)
        return _softmax(jnp.where(logits == -jnp.inf, LEAST_LOGIT, logits))

    def leaves(self, labels: jax.Array, prob_epsilon: float) -> Leaves:
        """Return the leaves for labels [..., C]; in denominators y is from `prob_epsilon` to 1 - `prob_epsilon`."""
        clipped_y = jnp.clip(self.y, prob_epsilon, 1 - prob_epsilon)
        clipped_complement = jnp.where(self.is_dominant, jnp.maximum(self.complement, prob_epsilon), 1 - clipped_y)
        return Leaves(
            x=labels,
            y=self.y,
            complement=self.complement,
            difference=difference_of(labels, self.y, self.complement),
            log_y=self.log_y,
            log_complement=self.log_complement,
            clipped_y=clipped_y,
            clipped_complement=clipped_complement,
            clipped_difference=difference_of(labels, clipped_y, clipped_complement),
        )

    def slopes(self, leaves: Leaves) -> dict[str, jax.Array]:
        """Return the derivatives of the leaves in log(y); for a dominant class in its logit, log(y / (1 - y)).

        Those of the clipped leaves are what they would be for a y of this value, so that they are never 0.
        """
        scale = jnp.where(self.is_dominant, self.complement, 1)
        rise = self.y * scale
        clipped_rise = leaves.clipped_y * jnp.where(self.is_dominant, leaves.clipped_complement, 1)
        slopes = Leaves(
            x=jnp.zeros_like(rise),
            y=rise,
            complement=-rise,
            difference=-rise,
            log_y=scale,
            log_complement=jnp.where(self.is_dominant, -self.y, -self.y / self.complement),
            clipped_y=clipped_rise,
            clipped_complement=-clipped_rise,
            clipped_difference=-clipped_rise,
        )
        return slopes._asdict()

    def sum_and_gradient(self, values: jax.Array, slopes: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return a sum over classes, and its gradient in the logits from the slope of each class; see `slopes`."""
        dominant = _sum(jnp.where(self.is_dominant, slopes, 0))
        others = _sum(jnp.where(self.is_dominant, 0, slopes))
        gradient = slopes - self.y * others - jnp.where(self.is_dominant, 0, self.share * dominant)
        return jnp.sum(values, axis=-1), gradient


@jax.custom_jvp
def _softmax(logits: jax.Array) -> Softmax:
    top = _max(logits)
    is_top = logits == top
    num_ties = _sum(is_top.astype(logits.dtype)) - 1
    second = jnp.where(num_ties > 0, top, _max(jnp.where(is_top, LEAST_LOGIT, logits)))
    # Of all classes but one of the largest, relative to the second largest: `total` is between 1 and C - 1.
    others = jnp.where(is_top, 0, exp_of_difference(logits, second))
    total = _sum(others) + num_ties
    rest = exp_of_difference(second, top) * total
    share = others / jnp.maximum(total, 1)
    rest_share = rest / (1 + rest)
    y = jnp.where(is_top, 1 / (1 + rest), share * rest_share)
    log_sum = jnp.log1p(rest)
    is_dominant = y > 0.5
    return Softmax(
        y=y,
        complement=jnp.where(is_dominant, rest_share, 1 - y),
        log_y=logits - top - log_sum,
        log_complement=jnp.where(is_dominant, second - top + jnp.log(total) - log_sum, jnp.log1p(-y)),
        share=share,
    )


@_softmax.defjvp
def _softmax_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Softmax, Softmax]:
    softmax, (change,) = _softmax(*primals), tangents
    y, complement, _, _, share = softmax
    is_dominant = softmax.is_dominant
    # For a dominant class: the change of its logit less the mean change of the others.
    lead = change - _sum(jnp.where(is_dominant, 0, share * change))
    log_y = jnp.where(is_dominant, complement * lead, change - _sum(y * change))
    log_complement = jnp.where(is_dominant, -y * lead, -y / complement * log_y)
    dominant_log_complement = _sum(jnp.where(is_dominant, log_complement, 0))
    changes = Softmax(
        y=y * log_y,
        complement=-y * log_y,
        log_y=log_y,
        log_complement=log_complement,
        share=share * (log_y - dominant_log_complement),
    )
    return softmax, changes


def exp_of_difference(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return exp(a - b) without the rounding error of the difference, which is up to 1e-5 of the result."""
    difference = a - b
    subtracted = a - difference
    error = (a - (difference + subtracted)) + (subtracted - b)
    return jnp.exp(difference) * (1 + error)


def _max(values: jax.Array) -> jax.Array:
    return jnp.max(values, axis=-1, keepdims=True)


def _sum(values: jax.Array) -> jax.Array:
    return jnp.sum(values, axis=-1, keepdims=True)
