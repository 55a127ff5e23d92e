"""A small network for 8x8 digits."""

import jax
from flax import nnx

from glojax.networks.layers import ConvolutionBlock, dense


class DigitsCNN(nnx.Module):
    """3x3 convolution 16, ReLU, 2x2 pool; 3x3 convolution 32, ReLU, 2x2 pool; dense 64, ReLU; dense 10.

    Examples:
        >>> import jax.numpy as jnp
        >>> DigitsCNN(nnx.Rngs(0))(jnp.zeros((5, 8, 8, 1))).shape
        (5, 10)
    """

    def __init__(self, rngs: nnx.Rngs):
        self.block1 = ConvolutionBlock(1, 16, 3, rngs=rngs)
        self.block2 = ConvolutionBlock(16, 32, 3, rngs=rngs)
        self.hidden = dense(2 * 2 * 32, 64, rngs=rngs)
        self.output = dense(64, 10, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, 10] of images [B, 8, 8, 1]; there is no dropout."""
        features = self.block2(self.block1(images)).reshape(images.shape[0], -1)
        return self.output(jax.nn.relu(self.hidden(features)))
