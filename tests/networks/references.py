"""The networks as JAX's own operations and automatic differentiation have them, in any precision: slow, and plain."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def random_array(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def value_and_gradients(function: Callable[..., Any], operands: Sequence[Any], cotangent: Any) -> list[np.ndarray]:
    """What a function gives, and the gradients in its operands, which may be pytrees; compiled as a whole."""

    @jax.jit
    def compute(operands: Sequence[Any], cotangent: Any) -> Any:
        value, pullback = jax.vjp(function, *operands)
        return value, *pullback(cotangent)

    return [np.asarray(leaf) for leaf in jax.tree.leaves(compute(tuple(operands), cotangent))]


def convolution(images: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def max_pool(images: jax.Array, size: int) -> jax.Array:
    """Of windows of this size, at stride 2."""
    pooled: jax.Array = lax.reduce_window(images, -jnp.inf, lax.max, (1, size, size, 1), (1, 2, 2, 1), "SAME")
    return pooled


def local_response_norm(images: jax.Array) -> jax.Array:
    channels = np.arange(images.shape[-1])
    neighbours = (abs(channels[:, None] - channels) <= 4).astype(images.dtype)
    return images / (1 + 0.001 / 9 * (images**2 @ neighbours)) ** 0.75


def mnist_cnn(params: dict[str, Any], images: jax.Array) -> jax.Array:
    """Logits without dropout."""
    for block in ("block1", "block2"):
        images = max_pool(jax.nn.relu(convolution(images, params[block]["kernel"]) + params[block]["bias"]), 2)
    hidden = jax.nn.relu(_dense(params["hidden"], images.reshape(len(images), -1)))
    return _dense(params["output"], hidden)


def cifar_cnn(params: dict[str, Any], images: jax.Array) -> jax.Array:
    """Logits."""
    first, second = params["convolution1"], params["convolution2"]
    images = jax.nn.relu(convolution(images, first["kernel"]) + first["bias"])
    images = local_response_norm(max_pool(images, 3))
    images = jax.nn.relu(convolution(images, second["kernel"]) + second["bias"])
    images = max_pool(local_response_norm(images), 3)
    hidden = jax.nn.relu(_dense(params["hidden1"], images.reshape(len(images), -1)))
    return _dense(params["output"], _dense(params["hidden2"], hidden))


def _dense(params: dict[str, jax.Array], inputs: jax.Array) -> jax.Array:
    return inputs @ params["kernel"] + params["bias"]
