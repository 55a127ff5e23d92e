"""A program as a function of labels and probabilities."""

import jax
import jax.numpy as jnp

from glojax.losses import Leaves, LossProgram, interpret
from glojax.losses.compiled import forward_differentiated
from glojax.losses.operations import Function


def leaves_of(labels: jax.Array, probs: jax.Array) -> Leaves:
    """Return the leaves of given probabilities, as exact as these are; nothing is clipped."""
    complement, difference = 1 - probs, labels - probs
    logs = jnp.log(probs), jnp.log1p(-probs)
    return Leaves(labels, probs, complement, difference, *logs, probs, complement, difference)


def interpreting(program: LossProgram) -> Function:
    """Return what `compile_tree` returns for the program's tree."""
    return forward_differentiated(lambda labels, probs: interpret(program, leaves_of(labels, probs)))
