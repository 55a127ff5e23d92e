"""The published losses by name, and loss functions of any expression."""

from typing import Final

from glojax.errors import ExpressionError, nearest
from glojax.expressions import LossTree
from glojax.losses.loss import Loss
from glojax.losses.objective import DEFAULT_PROB_EPSILON, ClassReduction

#: The tree of each loss that has a name.
CATALOG: Final[dict[str, LossTree]] = {
    "cross_entropy": LossTree.parse("x * log(y)"),
    "baikal": LossTree.parse("log(y) - x / y"),
    "baikal_cma": LossTree.parse("2.7279*(0.9863*log(1.5352*y) - -1.1135*(1.3716*x / (-0.8411*y)))"),
}

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
) -> Loss:
    """Make a loss function of any expression: minus the expression, summed over the classes.

    So cross-entropy is `"x * log(y)"`, without a minus.

    Args:
        tree: A tree, its text, such as `"log(y) - x / y"`, or a name of `CATALOG`; x is the label and y the probability
            of a class.
        coefficients: One factor for each node in prefix order; None keeps the tree's own.
        class_reduction: "sum" or "mean" over the classes.
        prob_epsilon: Lower bound of y and 1 - y in denominators, in [0, 0.5); 0 leaves them as they are.

    Returns:
        `loss_fn(logits, labels)`; see `Loss`.

    Example:
        >>> import jax.numpy as jnp
        >>> loss_fn = make_loss("x * log(y)")
        >>> loss_fn, [round(float(loss), 4) for loss in loss_fn(jnp.array([[0.0, 0.0], [2.0, 0.0]]), jnp.array([0, 1]))]
        (Loss('x * log(y)'), [0.6931, 2.1269])
    """
    if isinstance(tree, str):
        tree = find_tree(tree)
    if coefficients is not None:
        tree = tree.with_coefficients(coefficients)
    return Loss(tree, class_reduction, prob_epsilon)


#: `x * log(y)`: the standard classification loss; equal to `optax.softmax_cross_entropy`.
cross_entropy = make_loss("cross_entropy")

#: `log(y) - x / y`: Gonzalez and Miikkulainen (2020), equation 1; summed over classes, where the paper prints the mean.
#: With two classes its minimum lies at a true-class probability of 0.7071; it keeps networks from certainty.
baikal = make_loss("baikal")

#: Baikal with tuned coefficients: Gonzalez and Miikkulainen (2020), equation 2; summed over classes, where the paper
#: prints the mean. With two classes its minimum lies at a true-class probability of 0.7719.
baikal_cma = make_loss("baikal_cma")
