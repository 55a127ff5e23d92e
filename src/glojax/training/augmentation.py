"""Images as a network sees them: as floats and, in training, with random changes, on the device.

Each image has draws of its own, which depend on the key alone.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

#: Changes of the images: none, or those that the paper applies to CIFAR-10.
Augmentation = Literal["none", "cifar"]

#: Side of the square that "cifar" crops from each image.
CROP_SIZE = 24


def augmented_shape(augmentation: Augmentation, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return H, W and channels of the images that the network sees."""
    return image_shape if augmentation == "none" else (CROP_SIZE, CROP_SIZE, image_shape[-1])


def training_images(augmentation: Augmentation, key: jax.Array, images: jax.Array, indices: jax.Array) -> jax.Array:
    """Return a batch [B, ...] float32 of images [N, H, W, C] uint8, or float32 in [0, 1], to train on.

    "cifar" takes a random crop of 24x24, flips at random, draws brightness (up to 63 of 255 up or down) and contrast
    (0.2 to 1.8 times), and standardizes, in the order of the TensorFlow CIFAR-10 tutorial. Standardization cancels the
    brightness up to rounding.

    Source: Gonzalez and Miikkulainen (2020), section IV-A2; the ranges are the tutorial's.
    """
    if augmentation == "none":
        return as_floats(images[indices])
    crop_key, flip_key, brightness_key, contrast_key = jax.random.split(key, 4)
    batch = as_floats(random_flip(flip_key, random_crop(crop_key, images, indices, CROP_SIZE)))
    batch = random_brightness(brightness_key, batch, 63 / 255)
    return standardise(random_contrast(contrast_key, batch, 0.2, 1.8))


def evaluation_images(augmentation: Augmentation, images: jax.Array) -> jax.Array:
    """Return images [B, ...] for evaluation, without random changes; "cifar" crops the centre and standardizes."""
    if augmentation == "none":
        return as_floats(images)
    return standardise(as_floats(centre_crop(images, CROP_SIZE)))


def as_floats(images: jax.Array) -> jax.Array:
    """Return images as float32 in [0, 1]; bytes are divided by 255."""
    return images if images.dtype == jnp.float32 else images.astype(jnp.float32) / 255


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
