"""The fast convolution against JAX's own, on shapes that take each of its routes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from glojax.networks import convolution
from glojax.networks.convolution import convolve
from tests.networks import references
from tests.networks.references import random_array

# [B, H, W, Cin], kernel size, Cout: patches whole; patches too large to write whole (blockwise kernel gradient), where
# the block is several images, and where it is one.
SHAPES = [
    ((4, 8, 8, 1), 3, 16),
    ((5, 6, 10, 3), 5, 7),
    ((24, 28, 28, 3), 7, 4),
    ((3, 40, 40, 24), 7, 5),
]


def test_the_shapes_take_every_route() -> None:
    sizes = [4 * np.prod(shape) * size**2 for shape, size, _ in SHAPES]
    assert sizes[1] < convolution.WHOLE_BYTES < sizes[2]
    assert 2 * sizes[2] / 24 < convolution.BLOCK_BYTES < sizes[3] / 3


@pytest.mark.parametrize(("shape", "kernel_size", "out_features"), SHAPES)
def test_a_convolution_and_its_gradients_are_those_of_jax(
    shape: tuple[int, ...], kernel_size: int, out_features: int
) -> None:
    images = random_array(shape, 0)
    kernel = random_array((kernel_size, kernel_size, shape[-1], out_features), 1)
    weights = random_array((*shape[:-1], out_features), 2)

    def total(convolve_fn: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[..., Any]:
        return jax.jit(jax.value_and_grad(lambda i, k: (convolve_fn(i, k) * weights).sum(), argnums=(0, 1)))

    value, gradients = total(convolve)(images, kernel)
    expected, expected_gradients = total(references.convolution)(images, kernel)
    np.testing.assert_allclose(value, expected, rtol=1e-3)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_a_convolution_is_that_of_a_population_under_vmap() -> None:
    images, kernels = random_array((4, 8, 8, 2), 0), random_array((3, 3, 3, 2, 5), 1)
    mapped = jax.vmap(convolve, in_axes=(None, 0))(images, kernels)
    for row, kernel in enumerate(kernels):
        np.testing.assert_allclose(mapped[row], references.convolution(images, kernel), rtol=1e-4, atol=1e-5)
