"""Loss functions in the form of optax: of any expression, and of the published losses by name."""

from collections.abc import Callable
from typing import Final, TypeAlias

import jax

from glojax.errors import ConfigurationError, ExpressionError, nearest
from glojax.expressions import LossTree
from glojax.losses.compiled import compile_tree
from glojax.losses.objective import DEFAULT_PROB_EPSILON, ClassReduction, as_probabilities, check_objective, objective

# The tree of each published loss, and its author, year, equation and our deviations.
_PUBLISHED: Final = {
    "cross_entropy": (
        LossTree.parse("x * log(y)"),
        "the standard classification loss; equal to optax.softmax_cross_entropy where no true class is below 1e-7.",
    ),
    "baikal": (
        LossTree.parse("log(y) - x / y"),
        "Gonzalez and Miikkulainen (2020), equation 1; summed over classes, where the paper prints the mean. With\n"
        "two classes its minimum lies at a true-class probability of 0.7071; it keeps networks from certainty.",
    ),
    "baikal_cma": (
        LossTree.parse("2.7279*(0.9863*log(1.5352*y) - -1.1135*(1.3716*x / (-0.8411*y)))"),
        "Gonzalez and Miikkulainen (2020), equation 2, Baikal with tuned coefficients; summed over classes, where\n"
        "the paper prints the mean. With two classes its minimum lies at a true-class probability of 0.7719.",
    ),
}

#: The tree of each loss that has a name.
CATALOG: Final[dict[str, LossTree]] = {name: tree for name, (tree, _) in _PUBLISHED.items()}

#: A loss in the form of optax: of logits [..., C] and labels, [..., C] or integer [...]; it gives [...].
LossFunction: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]

# A longer text is not meant as a name.
_LONGEST_NAME: Final = 50


def find_tree(name_or_text: str) -> LossTree:
    """Return the tree of a name of `CATALOG`, or of an expression.

    Example:
        >>> str(find_tree("baikal")), str(find_tree("x * log(y)"))
        ('log(y) - x / y', 'x * log(y)')
    """
    if name_or_text in CATALOG:
        return CATALOG[name_or_text]
    try:
        return LossTree.parse(name_or_text)
    except ExpressionError as error:
        if not name_or_text.isidentifier() or len(name_or_text) > _LONGEST_NAME:
            raise
        known = ", ".join(CATALOG)
        raise ExpressionError(
            f"Unknown loss {name_or_text!r}.{nearest(name_or_text, CATALOG)} Expected one of {known}, or an expression "
            "such as 'log(y) - x / y'."
        ) from error


def make_loss(
    tree: LossTree | str,
    coefficients: tuple[float, ...] | None = None,
    class_reduction: ClassReduction = "sum",
    prob_epsilon: float = DEFAULT_PROB_EPSILON,
) -> LossFunction:
    """Make an optax-style loss function of any expression: minus the expression, summed over the classes.

    So cross-entropy is `"x * log(y)"`, without a minus.

    Args:
        tree: A tree, its text, such as `"log(y) - x / y"`, or a name of `CATALOG`; x is the label and y the probability
            of a class.
        coefficients: One factor for each node in prefix order; None keeps the tree's own.
        class_reduction: "sum" or "mean" over the classes.
        prob_epsilon: Lower bound that probabilities are clipped to, in [0, 1); 0 leaves them as they are.

    Returns:
        `loss_fn(logits, labels)`: logits [..., C] floating; labels [..., C] one-hot or soft, or integer [...], from 0
        to C - 1 (others count as no class at all); gives [...]. Differentiable in the logits.

    Example:
        >>> import jax.numpy as jnp
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


def _published(name: str) -> LossFunction:
    """Return a published loss as a function with a name and a docstring, so that it can be pickled."""
    loss_fn = make_loss(name)
    loss_fn.__name__ = loss_fn.__qualname__ = name
    loss_fn.__doc__ = f"""Minus the sum over the classes of `{CATALOG[name]}`, where y is clipped at 1e-7.

Args:
    logits: [..., C].
    labels: [..., C] one-hot or soft, or integer [...].

Returns:
    [...].

Source: {_PUBLISHED[name][1]}
"""
    return loss_fn


cross_entropy = _published("cross_entropy")
baikal = _published("baikal")
baikal_cma = _published("baikal_cma")
