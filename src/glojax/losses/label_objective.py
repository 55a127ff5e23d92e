"""The objective of integer labels and regular functions (see `glojax.losses.regular`), without one-hot labels.

The loss is the term of the label l, -f(1, y_l), and the sum of -f(0, y_k) over all others, which is 0 for cross-entropy
and all losses that see the probability of the label alone. The gradient of the label's term in the logits is
s (1 - y_l) for l and -s y_k for any other k, with s the slope of the term in log(y_l).

For a loss of the label alone the passes over the classes are those of optax's cross-entropy, and no other array of
their size is kept. With z the logits, b the largest of them rounded to a whole number, p_i = exp(z_i - b), and r the
sum of p_i over i other than l, nothing here is a difference of nearly equal numbers:

    y_l = p_l / (p_l + r)    1 - y_l = r / (p_l + r)    log(y_l) = -log(1 + r / p_l), or z_l - b - log(p_l + r)
"""

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from glojax.losses.objective import derivative, objective
from glojax.losses.operations import Function
from glojax.losses.regular_softmax import RegularSoftmax, bounded
from glojax.losses.stable import CONSTANT, Instruction, Instructions, run

#: The operations that are 0 if all of their operands are.
_ZERO_OF_ZEROS: Final = ("add", "subtract", "max", "min", "square", "sqrt", "abs", "tanh", "sin")


#: What computes 0.
ZERO: Final = (Instruction(CONSTANT),)


class _Part(NamedTuple):
    """A subtree for a label of 0: what computes it, and whether it is defined."""

    instructions: Instructions
    is_defined: bool


def for_other_classes(instructions: Instructions) -> Instructions | None:
    """Return what computes a regular function (see `glojax.losses.regular`) for a label of 0; None if undefined."""
    part = run(instructions, _for_zero)
    return part.instructions if part.is_defined else None


def _for_zero(instruction: Instruction, *operands: _Part) -> _Part:
    zeros = [operand.instructions == ZERO for operand in operands]
    is_zero, is_defined = False, all(operand.is_defined for operand in operands)
    match instruction.name:
        case "x":
            is_zero = True
        case "difference":
            instruction = instruction._replace(name="y", coefficient=-instruction.coefficient)
        case "constant":
            is_zero = instruction.value == 0
        case "multiply":
            is_zero = any(zeros)
        case "divide":
            is_zero, is_defined = zeros[0], is_defined and not zeros[1]
        case "log" | "power":
            is_defined &= not zeros[0]
        case name:
            is_zero = name in _ZERO_OF_ZEROS and all(zeros)
    if is_zero or instruction.coefficient == 0:
        return _Part(ZERO, is_defined)
    return _Part((instruction, *(each for operand in operands for each in operand.instructions)), is_defined)


def label_objective(
    function: Function,
    of_others: Function | None,
    prob_epsilon: float,
    labels: jax.Array,
    logits: jax.Array,
    is_example: jax.Array,
) -> jax.Array:
    """Return the loss [...] of integer labels [...] and logits [..., C], summed over the classes.

    The elementwise `function(program, leaves)` is f, and `of_others` what it is for a label of 0, None if that is 0;
    both are differentiated in forward mode, as by `glojax.losses.objective.objective`.
    """
    losses = _label_term(partial(function, ()), prob_epsilon, of_others is not None, labels, logits, is_example)
    if of_others is None:
        return losses
    weights = jnp.where(_is_label(labels, logits), 0, jnp.ones_like(logits))
    labels = jnp.zeros_like(logits)
    return losses + objective(of_others, "sum", prob_epsilon, (), labels, logits, weights, is_example, RegularSoftmax)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _label_term(
    function: Function,
    prob_epsilon: float,
    has_others: bool,
    labels: jax.Array,
    logits: jax.Array,
    is_example: jax.Array,
) -> jax.Array:
    label = _softmax(has_others, labels, logits, is_example).label
    return -function(label.leaves(jnp.ones_like(label.y), prob_epsilon))[..., 0]


@_label_term.defjvp
def _label_term_jvp(
    function: Function, prob_epsilon: float, has_others: bool, primals: Any, tangents: Any
) -> tuple[jax.Array, jax.Array]:
    label, others = _softmax(has_others, *primals)
    leaves = label.leaves(jnp.ones_like(label.y), prob_epsilon)
    values, slopes = derivative(function, leaves, label.slopes(leaves))
    gradient = slopes * jnp.where(_is_label(*primals[:2]), -leaves.complement, others)
    return -values[..., 0], jnp.sum(gradient * tangents[1], axis=-1)


class _LabelSoftmax(NamedTuple):
    """The probabilities of the label, arrays [..., 1], with its 1 - y in `scale`; and [..., C] of the other classes."""

    label: RegularSoftmax
    others: jax.Array


def _softmax(has_others: bool, labels: jax.Array, logits: jax.Array, is_example: jax.Array) -> _LabelSoftmax:
    if not has_others:
        return _lean_softmax(*bounded(logits, is_example), labels)
    softmax = RegularSoftmax.of(logits, is_example)  # once for both objectives
    return _LabelSoftmax(RegularSoftmax(*(_at(labels, each) for each in softmax)), softmax.y)


@jax.custom_jvp
def _lean_softmax(logits: jax.Array, top: jax.Array, labels: jax.Array) -> _LabelSoftmax:
    base, own = jnp.round(top), _at(labels, logits)
    others, power = jnp.where(_is_label(labels, logits), 0, _exp_from(base, logits)), _exp_from(base, own)
    rest = jnp.sum(others, axis=-1, keepdims=True)
    total, is_dominant = power + rest, power > rest
    inverse = 1 / total
    log_y = jnp.where(is_dominant, 0, own - base) - jnp.log1p(jnp.where(is_dominant, rest / power, total - 1))
    return _LabelSoftmax(RegularSoftmax(power * inverse, log_y, scale=rest * inverse), others * inverse)


@_lean_softmax.defjvp
def _lean_softmax_jvp(primals: Any, tangents: Any) -> tuple[_LabelSoftmax, _LabelSoftmax]:
    (label, others), labels, change = _lean_softmax(*primals), primals[2], tangents[0]
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
