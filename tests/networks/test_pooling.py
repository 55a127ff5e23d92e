import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.networks.ops.pooling import max_pool, overlapping_max_pool
from tests.networks import references
from tests.networks.references import random_array


def test_max_pooling_and_its_gradient_are_those_of_jax() -> None:
    images, weights = random_array((3, 6, 8, 4), 0), random_array((3, 3, 4, 4), 1)
    for ours, theirs in zip(
        jax.value_and_grad(lambda images: (max_pool(images) * weights).sum())(images),
        jax.value_and_grad(lambda images: (references.max_pool(images, 2) * weights).sum())(images),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_of_equal_values_the_first_one_takes_the_gradient() -> None:
    gradient = jax.grad(lambda images: max_pool(images).sum())(jnp.ones((1, 2, 2, 1)))
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


@pytest.mark.parametrize("sides", [(6, 8), (7, 5), (4, 9), (3, 2), (1, 1), (2, 1)])
@pytest.mark.parametrize("kind", ["distinct", "many equal"])
def test_overlapping_max_pooling_and_its_gradient_are_those_of_numpy(sides: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(0)
    shape = (3, *sides, 4)
    images = (rng.normal(size=shape) if kind == "distinct" else rng.integers(-1, 2, shape)).astype(np.float32)
    cotangent = rng.integers(1, 9, (3, -(-sides[0] // 2), -(-sides[1] // 2), 4)).astype(np.float32)
    values, pullback = jax.vjp(jax.jit(overlapping_max_pool), jnp.asarray(images))
    expected, expected_gradient = numpy_overlapping_max_pool(images, cotangent)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(pullback(jnp.asarray(cotangent))[0], expected_gradient)


def test_overlapping_max_pooling_pads_as_jax_does() -> None:
    images = random_array((2, 9, 12, 3), 0)
    np.testing.assert_array_equal(overlapping_max_pool(images), references.max_pool(images, 3))
