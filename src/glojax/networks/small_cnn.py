"""A small network for images of any size."""

from collections.abc import Callable
from functools import partial

import jax
from flax import nnx

from glojax.networks.layers import ConvolutionBlock, dense
from glojax.networks.ops.pooling import overlapping_max_pool
from glojax.networks.parameters import DecayedParam


class SmallCNN(nnx.Module):
    """3x3 convolution 16, ReLU, 3x3/2 pool; 3x3 convolution 32, ReLU, 3x3/2 pool; dense 64, ReLU; dense num_classes.

    `for_images` fits it to a data set. Weight decay acts on the kernel of the dense 64.

    Args:
        rngs: Source of the initial parameters.
        image_shape: H, W and channels of the images, each at least 1.
        num_classes: Number of classes, at least 2.

    Example:
        >>> import jax.numpy as jnp
        >>> SmallCNN(nnx.Rngs(0), image_shape=(9, 15, 3), num_classes=4)(jnp.zeros((5, 9, 15, 3))).shape
        (5, 4)
    """

    def __init__(self, rngs: nnx.Rngs, *, image_shape: tuple[int, int, int], num_classes: int):
        height, width, channels = image_shape
        self.block1 = ConvolutionBlock(channels, 16, 3, pool=overlapping_max_pool, rngs=rngs)
        self.block2 = ConvolutionBlock(16, 32, 3, pool=overlapping_max_pool, rngs=rngs)
        # Each pool halves a side, rounding up.
        self.hidden = dense(-(-height // 4) * -(-width // 4) * 32, 64, rngs=rngs)
        self.hidden.kernel = DecayedParam(self.hidden.kernel[...])
        self.output = dense(64, num_classes, rngs=rngs)

    @classmethod
    def for_images(cls, image_shape: tuple[int, int, int], num_classes: int) -> Callable[[nnx.Rngs], "SmallCNN"]:
        """Return the builder of the network for images of this shape and number of classes."""
        return partial(cls, image_shape=image_shape, num_classes=num_classes)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, num_classes] of images [B, H, W, channels]; there is no dropout."""
        features = self.block2(self.block1(images)).reshape(images.shape[0], -1)
        logits: jax.Array = self.output(jax.nn.relu(self.hidden(features)))
        return logits
