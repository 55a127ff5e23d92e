"""A small network for images of any size."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.networks.layers import ConvolutionBlock, DecayedParam, dense, require_image
from glojax.networks.ops.pooling import overlapping_max_pool


class SmallCNN(nnx.Module):
    """3x3 convolution 16, ReLU, 3x3/2 pool; 3x3 convolution 32, ReLU, 3x3/2 pool; dense 64, ReLU; dense num_outputs.

    `for_data` fits it to a data set with images of `input_shape`: H, W and channels, or H and W. Weight decay acts on
    the kernel of the dense 64.

    Examples:
        >>> SmallCNN(nnx.Rngs(0), input_shape=(9, 15, 3), num_outputs=4)(jnp.zeros((5, 9, 15, 3))).shape
        (5, 4)
    """

    def __init__(self, rngs: nnx.Rngs, *, input_shape: tuple[int, ...], num_outputs: int):
        height, width, channels = (*input_shape, 1)[:3]
        self.block1 = ConvolutionBlock(channels, 16, 3, pool=overlapping_max_pool, rngs=rngs)
        self.block2 = ConvolutionBlock(16, 32, 3, pool=overlapping_max_pool, rngs=rngs)
        # Each pool halves a side, rounding up.
        self.hidden = dense(-(-height // 4) * -(-width // 4) * 32, 64, rngs=rngs)
        self.hidden.kernel = DecayedParam(self.hidden.kernel[...])
        self.output = dense(64, num_outputs, rngs=rngs)

    @classmethod
    def for_data(cls, input_shape: tuple[int, ...], num_outputs: int) -> Callable[[nnx.Rngs], "SmallCNN"]:
        """Return the builder of the network for images of this shape and number of outputs."""
        require_image("SmallCNN", input_shape)
        return partial(cls, input_shape=input_shape, num_outputs=num_outputs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, num_outputs] of images [B, H, W, channels] or [B, H, W]; there is no dropout."""
        images = (images[..., None] if images.ndim == 3 else images).astype(jnp.float32)
        features = self.block2(self.block1(images)).reshape(images.shape[0], -1)
        return self.output(jax.nn.relu(self.hidden(features)))
