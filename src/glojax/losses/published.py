"""The published losses as optax-style functions.

All take `(logits, labels)` as `glojax.make_loss` has it, and clip probabilities at 1e-7.
"""

import jax

from glojax.losses.objective import make_loss

_cross_entropy = make_loss("cross_entropy")
_baikal = make_loss("baikal")
_baikal_cma = make_loss("baikal_cma")


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
