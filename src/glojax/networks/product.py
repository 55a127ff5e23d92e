"""A dense layer's product, whose backward pass lets the layer's parameters be updated in place."""

from typing import Any

import jax
import jax.numpy as jnp


def product(inputs: jax.Array, kernel: jax.Array, *arguments: Any, **options: Any) -> jax.Array:
    """Inputs [B, I] times kernel [I, O], in the place of `jax.lax.dot_general` (`nnx.Linear(dot_general=...)`).

    What else `dot_general` takes is left aside: a dense layer of matrices has no other axes. Differentiable once, in
    reverse mode.
    """
    return _product(inputs, kernel)


@jax.custom_vjp
def _product(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return inputs @ kernel


def _forward(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return inputs @ kernel, (inputs, kernel)


def _backward(saved: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = saved
    inputs_gradient = cotangent @ kernel.T
    # The kernel's gradient, and so the kernel's update, must come after the kernel's last use, or each step of a
    # training copies the whole kernel; XLA needs to see it in the data. This is 0, and NaN where the gradient is.
    nothing = jnp.minimum(jnp.abs(inputs_gradient[:1, :1]), 0)
    # XLA would join the transposition to the product, which is then a slower one.
    turned = jax.lax.optimization_barrier(inputs.T)
    return inputs_gradient, turned @ (cotangent + nothing)


_product.defvjp(_forward, _backward)
