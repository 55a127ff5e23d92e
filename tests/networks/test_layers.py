"""The fast layers against JAX's own, on shapes that take each of their routes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from glojax.networks import layers
from glojax.networks.layers import convolve, max_pool

# [B, H, W, Cin], kernel size, Cout: patches whole; patches too large to write whole (blockwise kernel gradient), where
# the block is several images, and where it is one.
SHAPES = [
    ((4, 8, 8, 1), 3, 16),
    ((5, 6, 10, 3), 5, 7),
    ((24, 28, 28, 3), 7, 4),
    ((3, 40, 40, 24), 7, 5),
]


def random(shape: tuple[int, ...], seed: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def plain_convolution(images: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def test_the_shapes_take_every_route() -> None:
    sizes = [4 * np.prod(shape) * size**2 for shape, size, _ in SHAPES]
    assert sizes[1] < layers.WHOLE_BYTES < sizes[2]
    assert 2 * sizes[2] / 24 < layers.BLOCK_BYTES < sizes[3] / 3


@pytest.mark.parametrize(("shape", "kernel_size", "out_features"), SHAPES)
def test_a_convolution_and_its_gradients_are_those_of_jax(
    shape: tuple[int, ...], kernel_size: int, out_features: int
) -> None:
    images = random(shape, 0)
    kernel = random((kernel_size, kernel_size, shape[-1], out_features), 1)
    weights = random((*shape[:-1], out_features), 2)

    def total(convolution: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[..., Any]:
        return jax.jit(jax.value_and_grad(lambda i, k: (convolution(i, k) * weights).sum(), argnums=(0, 1)))

    value, gradients = total(convolve)(images, kernel)
    expected, expected_gradients = total(plain_convolution)(images, kernel)
    np.testing.assert_allclose(value, expected, rtol=1e-3)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_a_convolution_is_that_of_a_population_under_vmap() -> None:
    images, kernels = random((4, 8, 8, 2), 0), random((3, 3, 3, 2, 5), 1)
    mapped = jax.vmap(convolve, in_axes=(None, 0))(images, kernels)
    for row, kernel in enumerate(kernels):
        np.testing.assert_allclose(mapped[row], plain_convolution(images, kernel), rtol=1e-4, atol=1e-5)


def plain_max_pool(images: jax.Array) -> jax.Array:
    pooled: jax.Array = lax.reduce_window(images, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return pooled


def test_max_pooling_and_its_gradient_are_those_of_jax() -> None:
    images, weights = random((3, 6, 8, 4), 0), random((3, 3, 4, 4), 1)
    for ours, theirs in zip(
        jax.value_and_grad(lambda images: (max_pool(images) * weights).sum())(images),
        jax.value_and_grad(lambda images: (plain_max_pool(images) * weights).sum())(images),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_of_equal_values_the_first_one_takes_the_gradient() -> None:
    gradient = jax.grad(lambda images: max_pool(images).sum())(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[1, 0], [0, 0]])
