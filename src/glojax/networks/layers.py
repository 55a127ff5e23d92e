"""Layers and parameters of the shipped networks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.errors import ConfigurationError
from glojax.networks.ops.convolution import convolve, convolve_pool_relu
from glojax.networks.ops.pooling import max_pool
from glojax.networks.ops.product import product

GLOROT = nnx.initializers.glorot_uniform()


class DecayedParam(nnx.Param[Any]):
    """A parameter that weight decay acts on; it does not act on an ordinary `nnx.Param`."""


class ConvolutionBlock(nnx.Module):
    """Convolution, max-pooling at stride 2, ReLU: [B, H, W, Cin] to [B, H/2, W/2, Cout].

    Bias and ReLU follow the pooling, on a quarter of the values. Both are monotonic, so the result is the same. `pool`
    is `max_pool`, for even H and W, `overlapping_max_pool`, for any, or None. All elements of the bias start equal.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int,
        *,
        pool: Callable[[jax.Array], jax.Array] | None = max_pool,
        kernel_init: nnx.Initializer = GLOROT,
        bias: float = 0.0,
        rngs: nnx.Rngs,
    ):
        shape = (kernel_size, kernel_size, in_features, out_features)
        self.kernel = nnx.Param(kernel_init(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.full(out_features, bias, jnp.float32))
        self.pool = pool

    def __call__(self, images: jax.Array) -> jax.Array:
        """Return the features [B, H/2, W/2, Cout] of images [B, H, W, Cin]."""
        if self.pool is max_pool:
            return convolve_pool_relu(images, self.kernel[...], self.bias[...])
        features = convolve(images, self.kernel[...])
        return jax.nn.relu((self.pool(features) if self.pool else features) + self.bias[...])


def require_image(name: str, input_shape: Any) -> None:
    """Raise ConfigurationError unless the shape is that of an image, with or without channels."""
    require_one_array(name, input_shape)
    if len(input_shape) not in (2, 3):
        raise ConfigurationError(
            f"{name} takes images of shape [H, W] or [H, W, channels], but the inputs have shape {input_shape}; choose "
            "a network made for them, such as SmallMLP for tables."
        )


def require_one_array(name: str, input_shape: Any) -> None:
    """Raise ConfigurationError where the inputs are a pytree of arrays."""
    if not (isinstance(input_shape, tuple) and all(isinstance(size, int) for size in input_shape)):
        raise ConfigurationError(
            f"{name} takes one array, but the inputs are several, of shapes {input_shape}; choose a network that is "
            "called with all of them."
        )


def dense(
    in_features: int, out_features: int, *, kernel_init: nnx.Initializer = GLOROT, bias: float = 0.0, rngs: nnx.Rngs
) -> nnx.Linear:
    """Return a dense layer; all elements of its bias start equal."""
    bias_init = nnx.initializers.constant(bias)
    return nnx.Linear(
        in_features, out_features, kernel_init=kernel_init, bias_init=bias_init, dot_general=product, rngs=rngs
    )
