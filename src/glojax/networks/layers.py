"""Layers of the shipped networks."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.networks.ops.convolution import convolve
from glojax.networks.ops.pooling import max_pool
from glojax.networks.ops.product import product


class ConvolutionBlock(nnx.Module):
    """Convolution, max-pooling at stride 2, ReLU: [B, H, W, Cin] to [B, H/2, W/2, Cout].

    Bias and ReLU follow the pooling, on a quarter of the values. Both are monotonic, so the result is the same. Kernels
    start Glorot-uniform, biases at 0. `pool` is `max_pool`, for even H and W, or `overlapping_max_pool`, for any.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int,
        *,
        pool: Callable[[jax.Array], jax.Array] = max_pool,
        rngs: nnx.Rngs,
    ):
        shape = (kernel_size, kernel_size, in_features, out_features)
        self.kernel = nnx.Param(nnx.initializers.glorot_uniform()(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(out_features, jnp.float32))
        self.pool = pool

    def __call__(self, images: jax.Array) -> jax.Array:
        """Return the features [B, H/2, W/2, Cout] of images [B, H, W, Cin]."""
        return jax.nn.relu(self.pool(convolve(images, self.kernel[...])) + self.bias[...])


def dense(in_features: int, out_features: int, *, rngs: nnx.Rngs) -> nnx.Linear:
    """Return a dense layer whose kernel starts Glorot-uniform and whose bias starts at 0."""
    return nnx.Linear(
        in_features, out_features, kernel_init=nnx.initializers.glorot_uniform(), dot_general=product, rngs=rngs
    )
