"""A convolutional network that compiles and runs in no time."""

import jax
from flax import nnx

from glojax.networks.layers import ConvolutionBlock, dense


class TinyCNN(nnx.Module):
    """Two convolutions and a dense layer for 8x8 digits: candidates share the inputs of the first layer alone."""

    def __init__(self, rngs: nnx.Rngs):
        self.block1 = ConvolutionBlock(1, 3, 3, rngs=rngs)
        self.block2 = ConvolutionBlock(3, 4, 3, rngs=rngs)
        self.output = dense(2 * 2 * 4, 10, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Logits [B, 10]."""
        logits: jax.Array = self.output(self.block2(self.block1(images)).reshape(images.shape[0], -1))
        return logits
