from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from glojax.training.augmentation import (
    CROP_SIZE,
    augmented_shape,
    centre_crop,
    evaluation_inputs,
    random_brightness,
    random_contrast,
    random_crop,
    random_flip,
    standardise,
    training_inputs,
)

KEY = jax.random.key(0)
NUM_DRAWS = 4000

# Compiled whole, and once for all images of a shape and a type.
seen_in_training = jax.jit(training_inputs, static_argnums=0)
seen_in_evaluation = jax.jit(evaluation_inputs, static_argnums=0)


def random_images(num_images: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num_images, height, width, 3), dtype=np.uint8)


def numpy_standardised(images: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `tf.image.per_image_standardization` is documented."""
    deviations = np.maximum(images.std(axis=(1, 2, 3), keepdims=True), 1 / np.sqrt(images[0].size))
    standardised: NDArray[np.float64] = (images - images.mean(axis=(1, 2, 3), keepdims=True)) / deviations
    return standardised


def assert_uniform(draws: NDArray[np.float64], lower: float, upper: float) -> None:
    assert lower - 1e-6 <= draws.min()
    assert draws.max() <= upper + 1e-6
    assert stats.kstest(draws, stats.uniform(lower, upper - lower).cdf).pvalue > 1e-3


def test_crops_are_windows_of_their_images_from_anywhere_in_them() -> None:
    # Each pixel of an image says where it is, and in which image.
    rows, columns, numbers = np.meshgrid(np.arange(30), np.arange(27), np.arange(5), indexing="ij")
    images = np.stack([rows, columns, numbers], axis=-1).astype(np.uint8).transpose(2, 0, 1, 3)
    indices = np.random.default_rng(1).integers(0, 5, NUM_DRAWS)
    crops = np.asarray(jax.jit(random_crop, static_argnums=3)(KEY, images, indices, CROP_SIZE))
    assert crops.shape == (NUM_DRAWS, CROP_SIZE, CROP_SIZE, 3)
    tops, lefts, _ = crops[:, 0, 0].astype(int).T
    for crop, top, left, index in zip(crops, tops, lefts, indices, strict=True):
        np.testing.assert_array_equal(crop, images[index, top : top + CROP_SIZE, left : left + CROP_SIZE])
    # 7 times 4 corners, all equally likely.
    corners = np.unique(4 * tops + lefts, return_counts=True)[1]
    assert len(corners) == 28
    assert stats.chisquare(corners).pvalue > 1e-3


def test_half_of_the_images_are_flipped_left_to_right() -> None:
    images = random_images(NUM_DRAWS, 4, 5)
    flipped = np.asarray(jax.jit(random_flip)(KEY, images))
    same, turned = ((flipped == expected).all(axis=(1, 2, 3)) for expected in (images, images[:, :, ::-1]))
    assert (same ^ turned).all()
    assert stats.binomtest(int(turned.sum()), NUM_DRAWS).pvalue > 1e-3


def test_brightness_adds_one_uniform_number_to_each_image() -> None:
    images = random_images(NUM_DRAWS, 3, 4).astype(np.float32) / 255
    shifts = np.asarray(jax.jit(random_brightness)(KEY, images, 63 / 255), np.float64) - images
    np.testing.assert_allclose(shifts, np.broadcast_to(shifts[:, :1, :1, :1], shifts.shape), atol=1e-6)
    assert_uniform(shifts[:, 0, 0, 0], -63 / 255, 63 / 255)


def test_contrast_scales_each_channel_about_its_mean() -> None:
    images = random_images(NUM_DRAWS, 3, 4).astype(np.float64) / 255
    changed = np.asarray(jax.jit(random_contrast)(KEY, images.astype(np.float32), 0.2, 1.8), np.float64)
    means = images.mean(axis=(1, 2), keepdims=True)
    factors = (changed - means).std(axis=(1, 2, 3)) / (images - means).std(axis=(1, 2, 3))
    np.testing.assert_allclose(changed, means + (images - means) * factors[:, None, None, None], atol=1e-5)
    assert_uniform(factors, 0.2, 1.8)


def test_standardised_images_have_mean_0_and_standard_deviation_1() -> None:
    images = random_images(20, 24, 24).astype(np.float64) / 255
    images[0] = 0.3  # nothing to scale
    images[1] = 0.3 + 1e-3 * images[1]  # less than what would be scaled up
    np.testing.assert_allclose(jax.jit(standardise)(images.astype(np.float32)), numpy_standardised(images), atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 32), (25, 28)])
def test_evaluation_takes_the_centre_standardised(shape: tuple[int, int]) -> None:
    images = random_images(6, *shape)
    top, left = (shape[0] - 24) // 2, (shape[1] - 24) // 2
    centre = images[:, top : top + 24, left : left + 24]
    np.testing.assert_array_equal(jax.jit(centre_crop, static_argnums=1)(images, CROP_SIZE), centre)
    expected = numpy_standardised(centre.astype(np.float64) / 255)
    np.testing.assert_allclose(seen_in_evaluation("cifar", images), expected, atol=1e-5)


def test_a_training_image_is_cropped_flipped_changed_and_standardised() -> None:
    """Whatever was drawn: brightness and contrast leave an image that the standardisation can be undone on."""
    images, indices = random_images(7, 32, 32), np.arange(50) % 7
    batch = np.asarray(seen_in_training("cifar", KEY, images, indices), np.float64)
    assert batch.shape == (50, 24, 24, 3)
    np.testing.assert_allclose(batch.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(batch.std(axis=(1, 2, 3)), 1, atol=1e-5)
    for image, index in zip(batch[:10], indices[:10].tolist(), strict=True):
        # Contrast and standardisation are linear in each channel, so that one window, flipped or not, correlates fully.
        windows = np.lib.stride_tricks.sliding_window_view(images[index, :, :, 0].astype(np.float64), (24, 24))
        candidates = [*windows.reshape(-1, 24, 24), *windows[..., ::-1].reshape(-1, 24, 24)]
        assert max(np.corrcoef(image[:, :, 0].ravel(), window.ravel())[0, 1] for window in candidates) > 1 - 1e-9


@pytest.mark.parametrize(
    "augment",
    [lambda images: training_inputs("cifar", KEY, images, jnp.arange(7)), partial(evaluation_inputs, "cifar")],
)
def test_bytes_and_floats_are_the_same_images(augment: Callable[..., jax.Array]) -> None:
    images = random_images(7, 32, 32)
    from_bytes, from_floats = jax.jit(lambda *both: [augment(images) for images in both])(
        images, (images / 255).astype(np.float32)
    )
    np.testing.assert_allclose(from_bytes, from_floats, atol=1e-5)


def test_without_augmentation_images_only_become_floats() -> None:
    images = random_images(5, 9, 7)
    taken = seen_in_training("none", KEY, images, np.array([3, 1]))
    np.testing.assert_allclose(taken, images[[3, 1]] / 255, rtol=1e-6)
    np.testing.assert_allclose(seen_in_evaluation("none", images), images / 255, rtol=1e-6)
    floats = images.astype(np.float32)
    np.testing.assert_array_equal(seen_in_evaluation("none", floats), floats)


def test_draws_follow_the_key_alone() -> None:
    images, indices = random_images(7, 32, 32), np.arange(50) % 7
    first, again, other = (seen_in_training("cifar", jax.random.key(seed), images, indices) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    keys = jnp.stack([KEY, KEY])
    population = jax.jit(
        jax.vmap(lambda key: training_inputs("cifar", key, jnp.asarray(images), jnp.asarray(indices)))
    )(keys)
    for candidate in np.asarray(population):
        np.testing.assert_allclose(candidate, first, atol=1e-5)


def test_the_shape_that_the_network_sees() -> None:
    assert augmented_shape("none", (28, 30, 1)) == (28, 30, 1)
    assert augmented_shape("cifar", (32, 40, 3)) == (24, 24, 3)
