"""Inputs as a network sees them: bytes as floats and, in training, images with random changes, on the device.

Each image has draws of its own, which depend on the key alone.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

#: Changes of the images: none, or those that the paper applies to CIFAR-10.
Augmentation = Literal["none", "cifar"]

#: Side of the square that "cifar" crops from each image.
CROP_SIZE = 24


def augmented_shape(augmentation: Augmentation, input_shape: Any) -> Any:
    """Return the shape of the inputs that the network sees."""
    return input_shape if augmentation == "none" else (CROP_SIZE, CROP_SIZE, input_shape[-1])


def seen_shape_and_dtype(augmentation: Augmentation, inputs: Any) -> tuple[Any, Any]:
    """Return shape and dtype of what the network sees of an input, or pytrees of them, for inputs [N, ...]."""
    shape = augmented_shape(augmentation, jax.tree.map(lambda leaf: leaf.shape[1:], inputs))
    return shape, jax.tree.map(lambda leaf: np.dtype(np.float32 if leaf.dtype == np.uint8 else leaf.dtype), inputs)


def training_inputs(augmentation: Augmentation, key: jax.Array, inputs: Any, indices: jax.Array) -> Any:
    """Return a batch [B, ...] of inputs [N, ...] to train on: uint8 as float32 in [0, 1], others as they are.

    "cifar", for images [N, H, W, C], takes a random crop of 24x24, flips at random, draws brightness (up to 63 of 255
    up or down) and contrast (0.2 to 1.8 times), and standardizes, in the order of the TensorFlow CIFAR-10 tutorial.
    Standardization cancels the brightness up to rounding.

    Source: Gonzalez and Miikkulainen (2020), section IV-A2; the ranges are the tutorial's.
    """
    if augmentation == "none":
        return scaled(jax.tree.map(lambda leaf: leaf[indices], inputs))
    crop_key, flip_key, brightness_key, contrast_key = jax.random.split(key, 4)
    batch = scaled(random_flip(flip_key, random_crop(crop_key, inputs, indices, CROP_SIZE)))
    batch = random_brightness(brightness_key, batch, 63 / 255)
    return standardise(random_contrast(contrast_key, batch, 0.2, 1.8))


def evaluation_inputs(augmentation: Augmentation, inputs: Any) -> Any:
    """Return inputs [B, ...] for evaluation, without random changes; "cifar" crops the centre and standardizes."""
    if augmentation == "none":
        return scaled(inputs)
    return standardise(scaled(centre_crop(inputs, CROP_SIZE)))


def scaled(inputs: Any) -> Any:
    """Return inputs with bytes as float32 in [0, 1], divided by 255."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32) / 255 if leaf.dtype == jnp.uint8 else leaf, inputs)


def centre_crop(images: jax.Array, size: int) -> jax.Array:
    """Return the square of this side in the middle of each image, rounded up and left."""
    _, H, W, _ = images.shape
    top, left = (H - size) // 2, (W - size) // 2
    return images[:, top : top + size, left : left + size]


def random_crop(key: jax.Array, images: jax.Array, indices: jax.Array, size: int) -> jax.Array:
    """Return for each index a random square of this side of the image there, [B, size, size, C]."""
    _, H, W, C = images.shape
    # Crops are taken from the data set, so that the batch is never copied whole.
    corners = jax.random.randint(key, (indices.shape[0], 2), 0, jnp.array([H - size + 1, W - size + 1]))

    def crop(index: jax.Array, corner: jax.Array) -> jax.Array:
        return lax.dynamic_slice(images, (index, corner[0], corner[1], 0), (1, size, size, C))[0]

    return jax.vmap(crop)(indices, corners)


def random_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Flip each image left to right with probability one half."""
    flipped = jax.random.bernoulli(key, shape=(images.shape[0], 1, 1, 1))
    return jnp.where(flipped, images[:, :, ::-1], images)


def random_brightness(key: jax.Array, images: jax.Array, largest: float) -> jax.Array:
    """Add to each image one number, uniform in [-largest, largest)."""
    return images + jax.random.uniform(key, (images.shape[0], 1, 1, 1), images.dtype, -largest, largest)


def random_contrast(key: jax.Array, images: jax.Array, lower: float, upper: float) -> jax.Array:
    """Multiply in each image the differences from each channel's mean by one number, uniform in [lower, upper)."""
    factors = jax.random.uniform(key, (images.shape[0], 1, 1, 1), images.dtype, lower, upper)
    means = images.mean(axis=(1, 2), keepdims=True)
    return (images - means) * factors + means


def standardise(images: jax.Array) -> jax.Array:
    """Subtract each image's mean and divide by its standard deviation, or by 1 / sqrt(H W C) if that is larger."""
    centred = images - images.mean(axis=(1, 2, 3), keepdims=True)
    deviations = jnp.sqrt(jnp.square(centred).mean(axis=(1, 2, 3), keepdims=True))
    return centred / jnp.maximum(deviations, images[0].size ** -0.5)
