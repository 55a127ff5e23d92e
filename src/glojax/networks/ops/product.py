"""The product of a dense layer, with a backward pass after which XLA updates the parameters in place."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from glojax.networks.ops.lowering import Precision, current_precision, products_in


def product(inputs: jax.Array, kernel: jax.Array, *arguments: Any, **options: Any) -> jax.Array:
    """Multiply inputs [B, I] by a kernel [I, O], for `nnx.Linear(dot_general=product)`; differentiable in reverse mode.

    The other arguments of `jax.lax.dot_general` are ignored, as matrices have no other axes.
    """
    return _product(current_precision.get(), inputs, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _product(precision: Precision | None, inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return inputs @ kernel


def _forward(
    precision: Precision | None, inputs: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return inputs @ kernel, (inputs, kernel)


def _backward(
    precision: Precision | None, saved: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = saved
    with products_in(precision):
        inputs_gradient = cotangent @ kernel.T
        # The kernel's gradient, and with it the kernel's update, must follow the kernel's last use, or each step of a
        # training copies the whole kernel. A dependency in the data enforces that: 0, or NaN where the gradient is.
        zero = jnp.minimum(jnp.abs(inputs_gradient[:1, :1]), 0)
        # Without the barrier, XLA fuses the transposition into the product, which is slower.
        transposed = jax.lax.optimization_barrier(inputs.T)
        return inputs_gradient, transposed @ (cotangent + zero)


_product.defvjp(_forward, _backward)
