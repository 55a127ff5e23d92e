"""The leaves of a loss function of one class: its label x, its probability y, and what cannot be computed from y again.

In float32, 1 - y is 0 from a difference of 17 between two logits on, and log(y) is infinite from 104 on. So 1 - y,
x - y, log(y) and log(1 - y) are leaves of their own, which come from the logits without cancellation or underflow.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Leaves(NamedTuple):
    """Arrays [..., C] of one dtype.

    Attributes:
        x: Labels.
        y: Probabilities.
        complement: 1 - y.
        difference: x - y.
        log_y: log(y).
        log_complement: log(1 - y).
        clipped_y: y in denominators: at least `prob_epsilon`.
        clipped_complement: 1 - y in denominators: at least `prob_epsilon`.
        clipped_difference: x - y in denominators, from one of the two.
    """

    x: jax.Array
    y: jax.Array
    complement: jax.Array
    difference: jax.Array
    log_y: jax.Array
    log_complement: jax.Array
    clipped_y: jax.Array
    clipped_complement: jax.Array
    clipped_difference: jax.Array


class RegularLeaves(NamedTuple):
    """The leaves of a regular function: see `glojax.losses.regular`.

    Attributes:
        inverse_y: 1 / clipped_y.
    """

    x: jax.Array
    y: jax.Array
    complement: jax.Array
    difference: jax.Array
    log_y: jax.Array
    clipped_y: jax.Array
    inverse_y: jax.Array


def slopes_in_labels(leaves: Leaves | RegularLeaves) -> dict[str, jax.Array]:
    """Return the derivatives in x of the leaves that have x in them."""
    names = ("x", "difference", "clipped_difference")
    return {name: jnp.ones_like(leaves.y) for name in names if name in leaves._fields}


def difference_of(labels: jax.Array, probs: jax.Array, complement: jax.Array) -> jax.Array:
    """Return x - y from y where it is at most 1/2, and else from 1 - y."""
    return jnp.where(probs > 0.5, complement - (1 - labels), labels - probs)
