"""The paper's network for MNIST."""

import jax
from flax import nnx

from glojax.networks.layers import ConvolutionBlock, dense
from glojax.networks.ops.groups import in_groups


class MnistCNN(nnx.Module):
    """5x5 convolution 32, ReLU, 2x2 pool; 5x5 convolution 64, ReLU, 2x2 pool; dense 1024, ReLU, dropout 0.4; dense 10.

    Source: Gonzalez and Miikkulainen (2020), section IV-A1. It gives neither padding nor initialization: ours are
    "SAME" and Glorot-uniform with zero biases.

    Examples:
        >>> import jax.numpy as jnp
        >>> MnistCNN(nnx.Rngs(0))(jnp.zeros((5, 28, 28, 1))).shape
        (5, 10)
    """

    def __init__(self, rngs: nnx.Rngs):
        self.block1 = ConvolutionBlock(1, 32, 5, rngs=rngs)
        self.block2 = ConvolutionBlock(32, 64, 5, rngs=rngs)
        self.hidden = dense(7 * 7 * 64, 1024, rngs=rngs)
        self.dropout = nnx.Dropout(0.4)
        self.output = dense(1024, 10, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, 10] of images [B, 28, 28, 1]; dropout acts where a key is given."""
        features = in_groups(lambda group: self.block2(self.block1(group)), images).reshape(images.shape[0], -1)
        hidden = self.dropout(jax.nn.relu(self.hidden(features)), deterministic=dropout_key is None, rngs=dropout_key)
        return self.output(hidden)
