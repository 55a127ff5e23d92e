"""The objective of losses that see the probability of the label alone, as cross-entropy does: f(0, y) is 0 for any y.

For an integer label l such a loss is -f(1, y_l). With z the logits, b the largest of them rounded to a whole number,
p_i = exp(z_i - b), and r the sum of p_i over i other than l, nothing here is a difference of nearly equal numbers:

    y_l = p_l / (p_l + r)    1 - y_l = r / (p_l + r)    log(y_l) = -log(1 + r / p_l), or z_l - b - log(p_l + r)

The gradient in the logits is s (1 - y_l) for l and -s y_k for any other k, with s the slope of the loss in log(y_l). So
the passes over the classes are those of optax's cross-entropy, and no other array of their size is kept.
"""

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from glojax.losses.objective import derivative
from glojax.losses.operations import Function
from glojax.losses.regular_softmax import RegularSoftmax, bounded
from glojax.losses.stable import Instruction, Instructions, run

#: The operations that are 0 if all of their operands are.
_ZERO_OF_ZEROS: Final = ("add", "subtract", "max", "min", "square", "sqrt", "abs", "tanh", "sin")


class _AtZero(NamedTuple):
    """What a subtree is for a label of 0: whether it is 0 for any y, and whether it is defined."""

    is_zero: bool
    is_defined: bool


def sees_label_alone(instructions: Instructions) -> bool:
    """Return whether a regular function (see `glojax.losses.regular`) is 0 for a label of 0 and any y."""
    return all(run(instructions, _at_zero))


def _at_zero(instruction: Instruction, *operands: _AtZero) -> _AtZero:
    zeros = [operand.is_zero for operand in operands]
    is_defined = all(operand.is_defined for operand in operands)
    match instruction.name:
        case "x":
            is_zero = True
        case "constant":
            is_zero = instruction.value == 0
        case "multiply":
            is_zero = any(zeros)
        case "divide":
            is_zero, is_defined = zeros[0], is_defined and not zeros[1]
        case "log" | "power":
            is_zero, is_defined = False, is_defined and not zeros[0]
        case name:
            is_zero = name in _ZERO_OF_ZEROS and all(zeros)
    return _AtZero(is_zero or instruction.coefficient == 0, is_defined)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def label_objective(
    function: Function, prob_epsilon: float, labels: jax.Array, logits: jax.Array, is_example: jax.Array
) -> jax.Array:
    """Return the loss [...] of integer labels [...] and logits [..., C], summed over the classes.

    The elementwise `function(leaves)` is differentiated in forward mode, as by `glojax.losses.objective.objective`.
    """
    label = _softmax(*bounded(logits, is_example), labels).label
    return -function(label.leaves(jnp.ones_like(label.y), prob_epsilon))[..., 0]


@label_objective.defjvp
def _label_objective_jvp(
    function: Function, prob_epsilon: float, primals: Any, tangents: Any
) -> tuple[jax.Array, jax.Array]:
    labels, logits, is_example = primals
    label, others = _softmax(*bounded(logits, is_example), labels)
    leaves = label.leaves(jnp.ones_like(label.y), prob_epsilon)
    values, slopes = derivative(function, leaves, label.slopes(leaves))
    gradient = slopes * jnp.where(_is_label(labels, logits), -leaves.complement, others)
    return -values[..., 0], jnp.sum(gradient * tangents[1], axis=-1)


class _LabelSoftmax(NamedTuple):
    """The probabilities of the label, arrays [..., 1], with its 1 - y in `scale`; and [..., C] of the other classes."""

    label: RegularSoftmax
    others: jax.Array


@jax.custom_jvp
def _softmax(logits: jax.Array, top: jax.Array, labels: jax.Array) -> _LabelSoftmax:
    base, own = jnp.round(top), _at(labels, logits)
    others, power = jnp.where(_is_label(labels, logits), 0, _exp_from(base, logits)), _exp_from(base, own)
    rest = jnp.sum(others, axis=-1, keepdims=True)
    total, is_dominant = power + rest, power > rest
    inverse = 1 / total
    log_y = jnp.where(is_dominant, 0, own - base) - jnp.log1p(jnp.where(is_dominant, rest / power, total - 1))
    return _LabelSoftmax(RegularSoftmax(power * inverse, log_y, scale=rest * inverse), others * inverse)


@_softmax.defjvp
def _softmax_jvp(primals: Any, tangents: Any) -> tuple[_LabelSoftmax, _LabelSoftmax]:
    (label, others), labels, change = _softmax(*primals), primals[2], tangents[0]
    own, change_of_others = _at(labels, change), jnp.sum(others * change, axis=-1, keepdims=True)
    log_y = label.scale * own - change_of_others
    y = label.y * log_y
    changes = RegularSoftmax(y, log_y, scale=-y)
    return _LabelSoftmax(label, others), _LabelSoftmax(changes, others * (change - label.y * own - change_of_others))


def _exp_from(base: jax.Array, logits: jax.Array) -> jax.Array:
    """Return exp(logits - base) without the rounding error of the difference, which a whole number as base shows."""
    difference = logits - base
    power = jnp.exp(difference)
    return power + power * (logits - (difference + base))


def _at(labels: jax.Array, values: jax.Array) -> jax.Array:
    return jnp.take_along_axis(values, labels[..., None], axis=-1, mode="clip")


def _is_label(labels: jax.Array, logits: jax.Array) -> jax.Array:
    return lax.broadcasted_iota(labels.dtype, logits.shape, logits.ndim - 1) == labels[..., None]
