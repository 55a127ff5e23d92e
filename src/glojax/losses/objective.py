r"""The objective: a differentiable loss of logits, from a function of one class.

    loss = -sum_i f(x_i, y_i),   y = clip(softmax(logits), epsilon, 1)

Source: Gonzalez and Miikkulainen (2020), section IV-A, equation of the cross-entropy loss. Deviations: the paper
prints 1/n in front of the sum over the n classes, but its accuracies come from the sum without it, our default; and the
paper does not clip.
"""

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from glojax.errors import ConfigurationError
from glojax.losses.operations import Function

ClassReduction = Literal["sum", "mean"]
_Primals = tuple[Any, jax.Array, jax.Array]

#: The lower bound to which probabilities are clipped, so that 1 / y and log(y) stay finite.
DEFAULT_PROB_EPSILON = 1e-7


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def objective(
    function: Function,
    class_reduction: ClassReduction,
    prob_epsilon: float,
    program: Any,
    labels: jax.Array,
    logits: jax.Array,
) -> jax.Array:
    """Return the loss [...] of each example, from labels and logits [..., C] of one dtype.

    The elementwise `function(program, labels, probs)` may be the interpreter; `program` is a pytree of arrays. One
    forward-mode pass computes value and derivative, so that reverse mode never goes through `function`. The loss is
    differentiable in `logits` alone, in forward and reverse mode.
    """
    return _value_and_gradient(function, class_reduction, prob_epsilon, (program, labels, logits))[0]


def _value_and_gradient(
    function: Function, class_reduction: ClassReduction, prob_epsilon: float, primals: _Primals
) -> tuple[jax.Array, jax.Array]:
    program, labels, logits = primals
    probs = jax.nn.softmax(logits)
    clipped = jnp.clip(probs, prob_epsilon, 1)
    values, derivatives = jax.jvp(lambda y: function(program, labels, y), (clipped,), (jnp.ones_like(probs),))
    scale = -1.0 if class_reduction == "sum" else -1.0 / logits.shape[-1]
    partials = scale * jnp.where(probs < prob_epsilon, 0, derivatives)
    gradient = probs * (partials - jnp.sum(partials * probs, axis=-1, keepdims=True))
    return scale * jnp.sum(values, axis=-1), gradient


@objective.defjvp
def _objective_jvp(
    function: Function, class_reduction: ClassReduction, prob_epsilon: float, primals: _Primals, tangents: _Primals
) -> tuple[jax.Array, jax.Array]:
    loss, gradient = _value_and_gradient(function, class_reduction, prob_epsilon, primals)
    return loss, jnp.sum(gradient * tangents[2], axis=-1)


def check_objective(class_reduction: str, prob_epsilon: float) -> None:
    """Refuse options of `objective` that are out of range."""
    if class_reduction not in ("sum", "mean"):
        raise ConfigurationError(f"class_reduction is {class_reduction!r}; expected 'sum' or 'mean'.")
    if prob_epsilon != 0 and not (0 < prob_epsilon < 1 and np.finfo(np.float32).tiny <= np.float32(prob_epsilon) < 1):
        raise ConfigurationError(
            f"prob_epsilon is {prob_epsilon}; expected a number from 0 to below 1 that float32 holds, such as 1e-7."
        )


def as_probabilities(labels: jax.Array, logits: jax.Array) -> jax.Array:
    """Return labels as probabilities [..., C] of the dtype of the logits, from probabilities or from integers [...]."""
    labels, logits = jnp.asarray(labels), jnp.asarray(logits)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ConfigurationError(f"Logits are of dtype {logits.dtype}; expected floating-point numbers.")
    if labels.shape == logits.shape:
        return labels.astype(logits.dtype)
    if labels.shape == logits.shape[:-1] and jnp.issubdtype(labels.dtype, jnp.integer):
        return jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    raise ConfigurationError(
        f"Labels of shape {labels.shape} and dtype {labels.dtype} do not fit logits of shape {logits.shape}; "
        f"expected shape {logits.shape}, or integers of shape {logits.shape[:-1]}."
    )
