r"""The objective: a differentiable loss of logits, from a function of one class.

    loss = -sum_i f(x_i, y_i),   y = softmax(logits), or another link of the logits

Source: Gonzalez and Miikkulainen (2020), section IV-A, equation of the cross-entropy loss. Deviations: the paper
prints 1/n in front of the sum over the n classes, but its accuracies come from the sum without it, our default. Where y
or 1 - y stands in a denominator of f it is at least `prob_epsilon`; so the loss stays finite, and its gradient does not
vanish. Elsewhere nothing is clipped, and logarithms are exact however far y is from 1/2.
"""

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from glojax.errors import ConfigurationError
from glojax.losses.leaves import Leaves, RegularLeaves, slopes_in_labels
from glojax.losses.links import Linked
from glojax.losses.operations import Function
from glojax.losses.softmax import Softmax

ClassReduction = Literal["sum", "mean"]
_Primals = tuple[Any, jax.Array, jax.Array, jax.Array | None, jax.Array | None]

#: The lower bound of y and 1 - y in denominators.
DEFAULT_PROB_EPSILON = 1e-7


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2, 8))
def objective(
    function: Function,
    class_reduction: ClassReduction,
    prob_epsilon: float,
    program: Any,
    labels: jax.Array,
    logits: jax.Array,
    weights: jax.Array | None = None,
    is_example: jax.Array | None = None,
    link: Linked = Softmax,
) -> jax.Array:
    """Return the loss [...] of each example, from labels and logits [..., C] of one dtype.

    The elementwise `function(program, leaves)` may be the interpreter. One forward-mode pass computes value and
    derivative, so that reverse mode never goes through `function`.

    Args:
        function: f, of a program and `Leaves`.
        class_reduction: "sum", or "mean" over the classes.
        prob_epsilon: Lower bound of y and 1 - y in denominators.
        program: A pytree of arrays, in which the loss is not differentiable.
        labels: x, [..., C].
        logits: [..., C].
        weights: Factors on the classes, [..., C] or of a shape that broadcasts to it, which the mean is weighted by.
            A class of weight 0 is left out, even where f is not finite.
        is_example: Whether there is an example [...]; the logits of padding do not matter. None if all are.
        link: How the logits, which may be any outputs, become the leaves of f.
    """
    linked = link.of(logits, is_example)
    values = function(program, linked.leaves(labels, prob_epsilon))
    return _weighted(_factors(class_reduction, weights, logits.shape), values)


@partial(objective.defjvp, symbolic_zeros=True)
def _objective_jvp(
    function: Function,
    class_reduction: ClassReduction,
    prob_epsilon: float,
    link: Linked,
    primals: _Primals,
    tangents: Any,
) -> tuple[jax.Array, jax.Array]:
    program, labels, logits, weights, is_example = primals
    _, labels_dot, logits_dot, weights_dot, _ = tangents
    linked = link.of(logits, is_example)
    leaves: Any = linked.leaves(labels, prob_epsilon)
    factors_of = partial(_factors, class_reduction, shape=logits.shape)
    factors = factors_of(weights)
    values, slopes = derivative(partial(function, program), leaves, linked.slopes(leaves))
    total, gradient = linked.sum_and_gradient(_products(factors, values), _products(factors, slopes))
    change = jnp.zeros(logits.shape[:-1], logits.dtype)
    if not isinstance(logits_dot, SymbolicZero):
        change += jnp.sum(gradient * logits_dot, axis=-1)
    if not isinstance(labels_dot, SymbolicZero):
        _, label_slopes = derivative(partial(function, program), leaves, slopes_in_labels(leaves))
        change += _weighted(factors, label_slopes * labels_dot)
    if weights is not None and not isinstance(weights_dot, SymbolicZero):
        changes = jax.jvp(factors_of, (weights,), (weights_dot,))[1]
        change += jnp.sum(changes * jnp.where((factors == 0) & ~jnp.isfinite(values), 0, values), axis=-1)
    return total, change


def derivative(
    function: Function, leaves: Leaves | RegularLeaves, slopes: dict[str, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Return the value of a function of leaves, and its derivative, from those of the leaves that change."""
    changing = {name: getattr(leaves, name) for name in slopes}
    return jax.jvp(lambda changing: function(leaves._replace(**changing)), (changing,), (slopes,))


def _factors(class_reduction: ClassReduction, weights: jax.Array | None, shape: tuple[int, ...]) -> jax.Array | float:
    """Return what f is multiplied by in the sum over classes."""
    if weights is None:
        return -1.0 if class_reduction == "sum" else -1.0 / shape[-1]
    weights = jnp.broadcast_to(weights, shape)
    return -weights if class_reduction == "sum" else -weights / jnp.sum(weights, axis=-1, keepdims=True)


def _products(factors: jax.Array | float, values: jax.Array) -> jax.Array:
    if isinstance(factors, float):
        return factors * values
    return jnp.where(factors == 0, 0, factors * values)


def _weighted(factors: jax.Array | float, values: jax.Array) -> jax.Array:
    return jnp.sum(_products(factors, values), axis=-1)


def computing_dtype(dtype: Any) -> Any:
    """Return the dtype in which a loss of logits is computed: float32 for shorter ones."""
    return dtype if np.dtype(dtype).itemsize >= 4 else np.dtype(np.float32)


def check_objective(class_reduction: str, prob_epsilon: Any) -> None:
    """Refuse options of `objective` that are out of range."""
    if class_reduction not in ("sum", "mean"):
        raise ConfigurationError(f"class_reduction is {class_reduction!r}; expected 'sum' or 'mean'.")
    if not isinstance(prob_epsilon, (int, float)):
        raise ConfigurationError(f"prob_epsilon is {prob_epsilon!r}; expected a number, such as 1e-7.")
    if prob_epsilon != 0 and not (0 < prob_epsilon < 0.5 and np.float32(prob_epsilon) >= np.finfo(np.float32).tiny):
        raise ConfigurationError(
            f"prob_epsilon is {prob_epsilon}; expected a number from 0 to below 0.5 that float32 holds, such as 1e-7."
        )
