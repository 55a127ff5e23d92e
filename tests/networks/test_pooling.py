from functools import partial

import jax
import numpy as np
import pytest

from glojax.networks.ops.pooling import max_pool, overlapping_max_pool
from tests.networks import references
from tests.networks.references import random_array


def test_max_pooling_and_its_gradient_are_those_of_jax() -> None:
    images, cotangent = random_array((3, 6, 8, 4), 0), random_array((3, 3, 4, 4), 1)
    ours = references.value_and_gradients(max_pool, [images], cotangent)
    theirs = references.value_and_gradients(partial(references.max_pool, size=2), [images], cotangent)
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-6)


def test_of_equal_values_the_first_one_takes_the_gradient() -> None:
    ones = np.ones((1, 2, 2, 1), np.float32)
    _, gradient = references.value_and_gradients(max_pool, [ones], ones[:, :1, :1])
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[1, 0], [0, 0]])


def windows_of(size: int) -> list[slice]:
    """Where the 3 wide windows at stride 2 lie along a side, by TensorFlow's rule for "SAME"."""
    num_windows = -(-size // 2)
    before = max(0, 2 * (num_windows - 1) + 3 - size) // 2
    return [slice(max(0, 2 * window - before), 2 * window - before + 3) for window in range(num_windows)]


def numpy_overlapping_max_pool(images: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values, and the gradient when the first of a window's largest values takes it all."""
    values, gradient = np.zeros_like(cotangent), np.zeros_like(images)
    for image in range(len(images)):
        for i, rows in enumerate(windows_of(images.shape[1])):
            for j, columns in enumerate(windows_of(images.shape[2])):
                for channel in range(images.shape[3]):
                    window = images[image, rows, columns, channel]
                    row, column = np.unravel_index(window.argmax(), window.shape)
                    values[image, i, j, channel] = window[row, column]
                    gradient[image, rows, columns, channel][row, column] += cotangent[image, i, j, channel]
    return values, gradient


@pytest.mark.parametrize("sides", [(6, 8), (7, 5), (4, 9), (1, 1), (2, 1)])
def test_overlapping_max_pooling_and_its_gradient_are_those_of_numpy(sides: tuple[int, int]) -> None:
    """Of distinct numbers, and of many that are equal."""
    rng = np.random.default_rng(0)
    shape = (3, *sides, 4)
    images = np.where(np.arange(4) < 2, rng.normal(size=shape), rng.integers(-1, 2, shape)).astype(np.float32)
    cotangent = rng.integers(1, 9, (3, -(-sides[0] // 2), -(-sides[1] // 2), 4)).astype(np.float32)
    ours = references.value_and_gradients(overlapping_max_pool, [images], cotangent)
    for mine, expected in zip(ours, numpy_overlapping_max_pool(images, cotangent), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_overlapping_max_pooling_pads_as_jax_does() -> None:
    images = random_array((2, 9, 12, 3), 0)
    ours, theirs = jax.jit(lambda images: (overlapping_max_pool(images), references.max_pool(images, 3)))(images)
    np.testing.assert_array_equal(ours, theirs)
