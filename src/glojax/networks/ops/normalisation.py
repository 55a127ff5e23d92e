"""Local response normalisation."""

import jax
import jax.numpy as jnp
from jax import lax

RADIUS = 4
ALPHA = 0.001 / 9


@jax.custom_vjp
def local_response_norm(images: jax.Array) -> jax.Array:
    """Divide each value by a power of the sum of squares over its neighbouring channels.

        y_c = x_c / s_c^0.75,   s_c = 1 + alpha * sum of x_k^2 over |k - c| <= 4,   alpha = 0.001 / 9

    As in TensorFlow, alpha weighs the sum; in PyTorch it weighs the mean over the 9 channels.

    Args:
        images: [..., C].

    Returns:
        [..., C]. Differentiable once, in reverse mode.

    Source: Krizhevsky, Sutskever and Hinton (2012), section 3.3; the constants are those of the TensorFlow CIFAR-10
    tutorial and of Gonzalez and Miikkulainen (2020), section IV-A2.
    """
    return _forward(images)[0]


def _forward(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    # Computing the sums again is faster than writing and reading them.
    return images * _powers(_sums(images)), images


def _backward(images: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    sums = _sums(images)
    direct = cotangent * _powers(sums)
    return (direct - 2 * 0.75 * ALPHA * images * _over_channels(direct * images / sums),)


local_response_norm.defvjp(_forward, _backward)


def _sums(images: jax.Array) -> jax.Array:
    return 1 + ALPHA * _over_channels(images * images)


def _over_channels(values: jax.Array) -> jax.Array:
    """Return the sum over the neighbouring channels."""
    window = (1,) * (values.ndim - 1) + (2 * RADIUS + 1,)
    total: jax.Array = lax.reduce_window(values, 0.0, lax.add, window, (1,) * values.ndim, "SAME")
    return total


def _powers(sums: jax.Array) -> jax.Array:
    """Raise to the power of -0.75 by roots, several times faster than by logarithms."""
    return lax.rsqrt(sums * jnp.sqrt(sums))
