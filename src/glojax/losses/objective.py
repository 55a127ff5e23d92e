r"""From a function of one class to a differentiable loss of logits.

    loss = -sum_i f(x_i, y_i),   y = clip(softmax(logits), epsilon, 1)

Source: Gonzalez and Miikkulainen (2020), section IV-A, equation of the cross-entropy loss. Deviations: the paper
prints 1/n in front of the sum over the n classes, but its accuracies come from the sum without it, our default; and it
does not clip.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses.catalog import find_tree
from glojax.losses.compiled import compile_tree

ClassReduction = Literal["sum", "mean"]

#: Probabilities are clipped to this from below, so that 1 / y and log(y) stay finite.
DEFAULT_PROB_EPSILON = 1e-7


class LossFunction(Protocol):
    """A loss as the field writes it, optax for one."""

    def __call__(self, logits: jax.Array, labels: jax.Array) -> jax.Array:
        """Loss of each example, [...], from logits [..., C] and labels [..., C] or integer [...]."""


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def objective(
    function: Callable[[Any, jax.Array, jax.Array], jax.Array],
    class_reduction: ClassReduction,
    prob_epsilon: float,
    program: Any,
    labels: jax.Array,
    logits: jax.Array,
) -> jax.Array:
    """Loss of each example under an elementwise function, which may be a program under an interpreter.

    The derivative comes from one forward-mode pass beside the value, so that reverse mode never goes
    through `function`.

    Args:
        function: `function(program, labels, probs)`, elementwise.
        class_reduction: How the classes are reduced to one number: "sum" or "mean".
        prob_epsilon: Lower bound that probabilities are clipped to, in [0, 1).
        program: Whatever `function` needs, as a pytree of arrays.
        labels: [..., C], one-hot or soft; of the dtype of `logits`.
        logits: [..., C].

    Returns:
        [...]. Differentiable in `logits` alone, in forward and reverse mode.
    """
    return _value_and_gradient(function, class_reduction, prob_epsilon, program, labels, logits)[0]


def _value_and_gradient(
    function: Callable[[Any, jax.Array, jax.Array], jax.Array],
    class_reduction: ClassReduction,
    prob_epsilon: float,
    program: Any,
    labels: jax.Array,
    logits: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    probs = jax.nn.softmax(logits)
    clipped = jnp.clip(probs, prob_epsilon, 1)
    values, derivatives = jax.jvp(lambda y: function(program, labels, y), (clipped,), (jnp.ones_like(probs),))
    scale = -1.0 if class_reduction == "sum" else -1.0 / logits.shape[-1]
    partials = scale * jnp.where(probs < prob_epsilon, 0, derivatives)
    gradient = probs * (partials - jnp.sum(partials * probs, axis=-1, keepdims=True))
    return scale * jnp.sum(values, axis=-1), gradient


@objective.defjvp
def _objective_jvp(
    function: Callable[[Any, jax.Array, jax.Array], jax.Array],
    class_reduction: ClassReduction,
    prob_epsilon: float,
    primals: tuple[Any, jax.Array, jax.Array],
    tangents: tuple[Any, jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    loss, gradient = _value_and_gradient(function, class_reduction, prob_epsilon, *primals)
    return loss, jnp.sum(gradient * tangents[2], axis=-1)


def make_loss(
    tree: LossTree | str,
    coefficients: tuple[float, ...] | None = None,
    class_reduction: ClassReduction = "sum",
    prob_epsilon: float = DEFAULT_PROB_EPSILON,
) -> LossFunction:
    """Any loss expression as an optax-style loss function: minus the expression, summed over the classes.

    So cross-entropy is `"x * log(y)"`, without a minus.

    Args:
        tree: A tree, its text, such as `"log(y) - x / y"`, or a name of `CATALOG`; x is the label and y the probability
            of a class.
        coefficients: One factor for each node in prefix order; None keeps the tree's own.
        class_reduction: "sum" or "mean" over the classes.
        prob_epsilon: Lower bound that probabilities are clipped to, in [0, 1); 0 leaves them as they are.

    Returns:
        `loss_fn(logits, labels)`: logits [..., C] floating; labels [..., C] one-hot or soft, or integer [...], from 0
        to C - 1 (others count as no class at all); gives [...]. Differentiable in the logits. Raises
        `ConfigurationError` where shapes or dtypes do not fit.

    Raises:
        ExpressionError: The text is no expression, or the number of coefficients is not the number of nodes.
        ConfigurationError: `tree` is neither tree nor text, or `class_reduction` or `prob_epsilon` is out of range.

    Example:
        >>> loss_fn = make_loss("x * log(y)")
        >>> [round(float(loss), 4) for loss in loss_fn(jnp.array([[0.0, 0.0], [2.0, 0.0]]), jnp.array([0, 1]))]
        [0.6931, 2.1269]
    """
    if isinstance(tree, str):
        tree = find_tree(tree)
    if not isinstance(tree, LossTree):
        raise ConfigurationError(f"Got {tree!r} for a loss; expected a LossTree, its text, or a name.")
    if coefficients is not None:
        tree = tree.with_coefficients(coefficients)
    check_objective(class_reduction, prob_epsilon)
    function = compile_tree(tree)

    def loss_fn(logits: jax.Array, labels: jax.Array) -> jax.Array:
        labels = as_probabilities(labels, logits)
        return objective(lambda _, x, y: function(x, y), class_reduction, prob_epsilon, (), labels, logits)

    return loss_fn


def check_objective(class_reduction: str, prob_epsilon: float) -> None:
    """Raise ConfigurationError unless the options of `objective` are in range."""
    if class_reduction not in ("sum", "mean"):
        raise ConfigurationError(f"class_reduction is {class_reduction!r}; expected 'sum' or 'mean'.")
    if not 0 <= prob_epsilon < 1:
        raise ConfigurationError(f"prob_epsilon is {prob_epsilon}; expected a number from 0 to below 1, such as 1e-7.")


def as_probabilities(labels: jax.Array, logits: jax.Array) -> jax.Array:
    """Labels as probabilities [..., C] of the logits' dtype, from the same or from integers [...].

    Raises:
        ConfigurationError: The shapes or dtypes do not fit.
    """
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
