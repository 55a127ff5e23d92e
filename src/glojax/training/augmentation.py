"""Images as a network sees them: as floats and, for training, changed a little at random, on the device.

Draws are made for each image, and depend on the key alone: whatever trains with the same key sees the same images.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax

#: What is done to the images: nothing, or what the paper does to those of CIFAR-10.
Augmentation = Literal["none", "cifar"]

#: Side of the square that "cifar" crops from each image.
CROP_SIZE = 24


def augmented_shape(augmentation: Augmentation, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """H, W and channels that the network sees of images of H, W and channels."""
    return image_shape if augmentation == "none" else (CROP_SIZE, CROP_SIZE, image_shape[-1])


def training_images(augmentation: Augmentation, key: jax.Array, images: jax.Array, places: jax.Array) -> jax.Array:
    """A batch to train on.

    With "cifar": a random crop of 24x24, a random flip, random brightness (up to 63 of 255 up or down), random contrast
    (0.2 to 1.8 times), then standardised, in the order of the TensorFlow CIFAR-10 tutorial. Brightness changes the
    result by rounding only, since the standardisation takes it out again.

    Args:
        augmentation: What is done to the images.
        key: A typed JAX key.
        images: [N, H, W, C] uint8, or float32 in [0, 1]; H and W at least 24 with "cifar".
        places: [B] integers below N: the images of the batch.

    Returns:
        [B, H', W', C] float32, where H' and W' are those of `augmented_shape`.

    Source: Gonzalez and Miikkulainen (2020), section IV-A2; the ranges are the tutorial's.
    """
    if augmentation == "none":
        return as_floats(images[places])
    crop_key, flip_key, brightness_key, contrast_key = jax.random.split(key, 4)
    batch = as_floats(random_flip(flip_key, random_crop(crop_key, images, places, CROP_SIZE)))
    batch = random_brightness(brightness_key, batch, 63 / 255)
    return standardise(random_contrast(contrast_key, batch, 0.2, 1.8))


def evaluation_images(augmentation: Augmentation, images: jax.Array) -> jax.Array:
    """Images [B, ...] as `training_images` takes them, to evaluate: without chance. "cifar" crops from the centre."""
    if augmentation == "none":
        return as_floats(images)
    return standardise(as_floats(centre_crop(images, CROP_SIZE)))


def as_floats(images: jax.Array) -> jax.Array:
    """Images as float32 in [0, 1]; bytes are 255ths."""
    return images if images.dtype == jnp.float32 else images.astype(jnp.float32) / 255


def centre_crop(images: jax.Array, size: int) -> jax.Array:
    """The square of this side in the middle of each image; where no pixel is the middle one, up and left of it."""
    _, H, W, _ = images.shape
    top, left = (H - size) // 2, (W - size) // 2
    return images[:, top : top + size, left : left + size]


def random_crop(key: jax.Array, images: jax.Array, places: jax.Array, size: int) -> jax.Array:
    """For each place the square of this side from anywhere in the image at it, [B, size, size, C]."""
    _, H, W, C = images.shape
    # Cropped where they lie, so that the batch is never copied whole.
    corners = jax.random.randint(key, (places.shape[0], 2), 0, jnp.array([H - size + 1, W - size + 1]))

    def crop(place: jax.Array, corner: jax.Array) -> jax.Array:
        return lax.dynamic_slice(images, (place, corner[0], corner[1], 0), (1, size, size, C))[0]

    crops: jax.Array = jax.vmap(crop)(places, corners)
    return crops


def random_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Each image, with a chance of one half flipped left to right."""
    flipped = jax.random.bernoulli(key, shape=(images.shape[0], 1, 1, 1))
    return jnp.where(flipped, images[:, :, ::-1], images)


def random_brightness(key: jax.Array, images: jax.Array, largest: float) -> jax.Array:
    """Each image plus one number, uniform in [-largest, largest)."""
    shifts = jax.random.uniform(key, (images.shape[0], 1, 1, 1), images.dtype, -largest, largest)
    return images + shifts


def random_contrast(key: jax.Array, images: jax.Array, lower: float, upper: float) -> jax.Array:
    """In each image the channels' distances from their means, times one number, uniform in [lower, upper)."""
    factors = jax.random.uniform(key, (images.shape[0], 1, 1, 1), images.dtype, lower, upper)
    means = images.mean(axis=(1, 2), keepdims=True)
    return (images - means) * factors + means


def standardise(images: jax.Array) -> jax.Array:
    """Each image minus its mean, over its standard deviation or, if that is larger, 1 / sqrt(H W C)."""
    centred = images - images.mean(axis=(1, 2, 3), keepdims=True)
    deviations = jnp.sqrt(jnp.square(centred).mean(axis=(1, 2, 3), keepdims=True))
    return centred / jnp.maximum(deviations, images[0].size ** -0.5)
