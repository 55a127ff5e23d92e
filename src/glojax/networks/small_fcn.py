"""A small network that gives every pixel of an image a class."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.networks.layers import ConvolutionBlock, require_image


class SmallFCN(nnx.Module):
    """3x3 convolution 16, ReLU, three times; a linear layer for each pixel: each class depends on 7x7 pixels.

    `for_data` fits it to a data set.

    Examples:
        >>> SmallFCN(nnx.Rngs(0), input_shape=(9, 15, 1), num_outputs=4)(jnp.zeros((2, 9, 15, 1))).shape
        (2, 9, 15, 4)
    """

    def __init__(self, rngs: nnx.Rngs, *, input_shape: tuple[int, ...], num_outputs: int):
        self.block1 = ConvolutionBlock((*input_shape, 1)[2], 16, 3, pool=None, rngs=rngs)
        self.block2 = ConvolutionBlock(16, 16, 3, pool=None, rngs=rngs)
        self.block3 = ConvolutionBlock(16, 16, 3, pool=None, rngs=rngs)
        self.output = nnx.Linear(16, num_outputs, rngs=rngs)

    @classmethod
    def for_data(cls, input_shape: tuple[int, ...], num_outputs: int) -> Callable[[nnx.Rngs], "SmallFCN"]:
        """Return the builder of the network for images of this shape and number of classes."""
        require_image("SmallFCN", input_shape)
        return partial(cls, input_shape=input_shape, num_outputs=num_outputs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, H, W, num_outputs] of images [B, H, W, channels] or [B, H, W]; there is no dropout."""
        images = (images[..., None] if images.ndim == 3 else images).astype(jnp.float32)
        return self.output(self.block3(self.block2(self.block1(images))))
