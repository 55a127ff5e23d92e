"""Published losses, as trees and as optax-style functions.

All take `(logits, labels)` as `glojax.make_loss` has it, and clip probabilities at 1e-7.
"""

import difflib
from typing import Final

import jax

from glojax.errors import ExpressionError
from glojax.expressions import LossTree
from glojax.losses.objective import make_loss

#: The tree of each loss that has a name.
CATALOG: Final[dict[str, LossTree]] = {
    "cross_entropy": LossTree.parse("x * log(y)"),
    "baikal": LossTree.parse("log(y) - x / y"),
    "baikal_cma": LossTree.parse("log(y) - x / y").with_coefficients(
        (2.7279, 0.9863, 1.5352, -1.1135, 1.3716, -0.8411)
    ),
}

# What is longer, nobody means for a name.
_LONGEST_NAME: Final = 50

_cross_entropy = make_loss(CATALOG["cross_entropy"])
_baikal = make_loss(CATALOG["baikal"])
_baikal_cma = make_loss(CATALOG["baikal_cma"])


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy, the standard classification loss: `-sum_i x_i log(y_i)`.

    Equals `optax.softmax_cross_entropy` wherever no true class has a probability below 1e-7.

    Args:
        logits: [..., C].
        labels: [..., C] one-hot or soft, or integer [...].

    Returns:
        [...].

    Example:
        >>> import jax.numpy as jnp
        >>> float(cross_entropy(jnp.zeros(10), jnp.array(3))).__round__(4)
        2.3026
    """
    return _cross_entropy(logits, labels)


def baikal(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Baikal: `-sum_i (log(y_i) - x_i / y_i)`.

    It holds networks back from certainty: with two classes its minimum lies at a true-class probability of 0.7071.

    Args:
        logits: [..., C].
        labels: [..., C] one-hot or soft, or integer [...].

    Returns:
        [...].

    Source: Gonzalez and Miikkulainen (2020), equation 1; summed over classes, where the paper prints the mean.

    Example:
        >>> import jax.numpy as jnp
        >>> float(baikal(jnp.zeros(2), jnp.array(0))).__round__(4)  # 2 log 2 + 2
        3.3863
    """
    return _baikal(logits, labels)


def baikal_cma(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """BaikalCMA, Baikal with tuned coefficients: `-sum_i c0 (c1 log(c2 y_i) - c3 (c4 x_i) / (c5 y_i))`.

    With two classes its minimum lies at a true-class probability of 0.7719.

    Args:
        logits: [..., C].
        labels: [..., C] one-hot or soft, or integer [...].

    Returns:
        [...].

    Source: Gonzalez and Miikkulainen (2020), equation 2, c = 2.7279, 0.9863, 1.5352, -1.1135, 1.3716, -0.8411; summed
    over classes, where the paper prints the mean.

    Example:
        >>> import jax.numpy as jnp
        >>> bool(baikal_cma(jnp.zeros(2), jnp.array(0)) > 0)
        True
    """
    return _baikal_cma(logits, labels)


def find_loss(name_or_text: str) -> LossTree:
    """The tree of a catalogued name, or of an expression.

    Raises:
        ExpressionError: It is neither.
    """
    if name_or_text in CATALOG:
        return CATALOG[name_or_text]
    try:
        return LossTree.parse(name_or_text)
    except ExpressionError as error:
        if not name_or_text.isidentifier() or len(name_or_text) > _LONGEST_NAME:
            raise
        near = difflib.get_close_matches(name_or_text, CATALOG, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(CATALOG)
        raise ExpressionError(
            f"Unknown loss {name_or_text!r}.{hint} Expected one of {known}, or an expression such as 'log(y) - x / y'."
        ) from error
