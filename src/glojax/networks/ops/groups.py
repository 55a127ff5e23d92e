"""Layers on a few images at a time, whose features stay in the cache from one layer to the next."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from glojax.networks.ops.canonical_convolution import GROUP_SIZE
from glojax.networks.ops.lowering import current_lowering


def in_groups(layers: Callable[[jax.Array], jax.Array], images: jax.Array) -> jax.Array:
    """Apply layers to groups of images, one group after the other, or to all at once if convolutions are not canonical.

    Args:
        layers: Maps images [G, ...] to features [G, ...], each image by itself.
        images: [B, ...]. Where B is no multiple of a suitable group size, images of zeros fill up the last group.

    Returns:
        The features of all images, [B, ...].
    """
    if current_lowering() != "canonical":
        return layers(images)
    B = images.shape[0]
    fitting = [size for size in range(GROUP_SIZE // 2, GROUP_SIZE + 1) if B % size == 0]
    size = max(fitting, default=-(-B // -(-B // GROUP_SIZE)))
    num_groups = -(-B // size)
    filled_up = jnp.pad(images, [(0, num_groups * size - B)] + [(0, 0)] * (images.ndim - 1))
    features: jax.Array = lax.map(layers, filled_up.reshape(num_groups, size, *images.shape[1:]))
    return features.reshape(num_groups * size, *features.shape[2:])[:B]
