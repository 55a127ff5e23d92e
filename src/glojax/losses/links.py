"""Links: how the outputs of a network become the y of an expression, and derivatives through that.

- softmax: y is the probability of each class, which excludes the others;
- sigmoid: y is the probability of each label on its own, the first of a softmax of (logit, 0);
- identity: y is the output, a number.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from glojax.expressions import Domain
from glojax.losses.leaves import Leaves
from glojax.losses.regular_softmax import RegularSoftmax
from glojax.losses.softmax import Softmax

Link: TypeAlias = Literal["softmax", "sigmoid", "identity"]

# A larger logit counts as this one: 0 times its logarithm would be NaN.
_LARGEST_LOGIT: Final = 1e37


class Sigmoid(Softmax):
    """The probabilities of labels, each from its own logit."""

    @classmethod
    def of(cls, logits: jax.Array, is_example: jax.Array | None = None) -> "Sigmoid":
        """Return the sigmoid of logits, exact at both ends; infinite ones count as 1e37, and all of padding as 0."""
        logits = logits if is_example is None else jnp.where(is_example[..., None], logits, 0)
        y, complement, log_y, log_complement = _sigmoid(jnp.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT))
        return cls(y, complement, log_y, log_complement, share=jnp.ones_like(y))

    def slopes(self, leaves: Leaves) -> dict[str, jax.Array]:
        """Return the derivatives in the logits of the leaves that change; those of clipped ones are never 0."""
        rise, clipped_rise = self.y * self.complement, leaves.clipped_y * leaves.clipped_complement
        return {
            "y": rise,
            "complement": -rise,
            "difference": -rise,
            "log_y": self.complement,
            "log_complement": -self.y,
            "clipped_y": clipped_rise,
            "clipped_complement": -clipped_rise,
            "clipped_difference": -clipped_rise,
        }

    def sum_and_gradient(self, values: jax.Array, slopes: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return a sum over labels, and its gradient in the logits, which the slopes are."""
        return jnp.sum(values, axis=-1), slopes


@jax.custom_jvp
def _sigmoid(logits: jax.Array) -> tuple[jax.Array, ...]:
    """Return y, 1 - y, log(y) and log(1 - y)."""
    rest = jnp.exp(-jnp.abs(logits))
    larger, smaller, log_larger = 1 / (1 + rest), rest / (1 + rest), -jnp.log1p(rest)
    log_smaller = log_larger - jnp.abs(logits)
    is_larger = logits > 0
    return (
        jnp.where(is_larger, larger, smaller),
        jnp.where(is_larger, smaller, larger),
        jnp.where(is_larger, log_larger, log_smaller),
        jnp.where(is_larger, log_smaller, log_larger),
    )


@_sigmoid.defjvp
def _sigmoid_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
    values, (change,) = _sigmoid(*primals), tangents
    y, complement, _, _ = values
    rise = y * complement * change
    return values, (rise, -rise, complement * change, -y * change)


class Identity(NamedTuple):
    """Outputs that are predictions themselves: numbers of both signs and any size.

    Attributes:
        y: Predictions.
    """

    y: jax.Array

    @classmethod
    def of(cls, outputs: jax.Array, is_example: jax.Array | None = None) -> "Identity":
        """Return the predictions that outputs are; those of padding count as 0."""
        return cls(outputs if is_example is None else jnp.where(is_example[..., None], outputs, 0))

    def leaves(self, targets: jax.Array, epsilon: float) -> Leaves:
        """Return the leaves for targets; in denominators they keep their sign and at least `epsilon`.

        A program for the domain "real" has no use for logarithms as leaves.
        """
        complement, difference = 1 - self.y, targets - self.y
        return Leaves(
            x=targets,
            y=self.y,
            complement=complement,
            difference=difference,
            log_y=self.y,
            log_complement=complement,
            clipped_y=_away_from_zero(self.y, epsilon),
            clipped_complement=_away_from_zero(complement, epsilon),
            clipped_difference=_away_from_zero(difference, epsilon),
        )

    def slopes(self, leaves: Leaves) -> dict[str, jax.Array]:
        """Return the derivatives in the outputs of the leaves that change; those of clipped ones are never 0."""
        one, rising = jnp.ones_like(self.y), {"y", "log_y", "clipped_y"}
        return {name: one if name in rising else -one for name in leaves._fields if name != "x"}

    def sum_and_gradient(self, values: jax.Array, slopes: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return a sum over outputs, and its gradient in them, which the slopes are."""
        return jnp.sum(values, axis=-1), slopes


def _away_from_zero(values: jax.Array, epsilon: float) -> jax.Array:
    return jnp.where(jnp.abs(values) < epsilon, jnp.where(values < 0, -epsilon, epsilon), values)


#: What computes the leaves of a function, and derivatives in the outputs; `RegularSoftmax` is a faster softmax.
Linked: TypeAlias = type[Softmax] | type[RegularSoftmax] | type[Identity]

LINKS: Final[dict[Link, Linked]] = {
    "softmax": Softmax,
    "sigmoid": Sigmoid,
    "identity": Identity,
}

#: Where x and y lie.
DOMAINS: Final[dict[Link, Domain]] = {"softmax": "probability", "sigmoid": "probability", "identity": "real"}
