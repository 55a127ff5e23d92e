"""Each form of the convolution against JAX's own, on shapes that take each of its routes."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.networks.ops import canonical_convolution as canonical
from glojax.networks.ops.convolution import convolve
from glojax.networks.ops.lowering import ConvolutionLowering, lowered_convolutions
from tests.networks import references
from tests.networks.references import random_array

LOWERINGS = get_args(ConvolutionLowering)

# [B, H, W, Cin], KH and KW, Cout. In canonical form: groups as they are; patches whole; patches too large to write
# whole (blockwise kernel gradient), where the block is several images, and where it is one.
SHAPES = [
    ((10, 12, 12, 16), (5, 5), 7),
    ((3, 7, 10, 3), (3, 5), 7),
    ((1, 1, 1, 2), (3, 3), 7),
    ((11, 8, 8, 1), (3, 3), 16),
    ((12, 6, 10, 3), (5, 5), 7),
    ((24, 28, 28, 3), (7, 7), 4),
    ((11, 24, 24, 24), (7, 7), 5),
]


def test_the_shapes_take_every_route() -> None:
    sizes = [4 * np.prod(shape) * np.prod(kernel) for shape, kernel, _ in SHAPES]
    images = [shape[0] for shape, _, _ in SHAPES]
    assert max(images[:3]) == canonical.GROUP_SIZE < min(images[3:])
    assert sizes[4] < canonical.WHOLE_BYTES < sizes[5]
    assert 2 * sizes[5] / 24 < canonical.BLOCK_BYTES < sizes[6] / 11


def of_one(function: Callable[..., jax.Array], shape: tuple[int, ...], kernel: tuple[int, int], Cout: int) -> Any:
    """What it gives, and the gradients by images and kernel for some cotangent."""
    operands = random_array(shape, 0), random_array((*kernel, shape[-1], Cout), 1)
    return references.value_and_gradients(function, operands, random_array((*shape[:-1], Cout), 2))


#: References are compiled once for all lowerings.
expected_of_one = cache(partial(of_one, references.convolution))


def assert_close(ours: Any, expected: Any) -> None:
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize(
    ("lowering", "sizes"), [*(("canonical", sizes) for sizes in SHAPES), *(("grouped", sizes) for sizes in SHAPES[1:3])]
)
def test_a_convolution_and_its_gradients_are_those_of_jax(lowering: ConvolutionLowering, sizes: Any) -> None:
    with lowered_convolutions(lowering):
        ours = of_one(convolve, *sizes)
    assert_close(ours, expected_of_one(*sizes))


def of_a_population(
    function: Callable[..., jax.Array], images_of_one: tuple[int, ...], in_axes: tuple[int | None, int | None]
) -> Any:
    """The sums of squares and the gradients of each candidate, as a training takes them: vmap outside."""
    P = 3
    images = random_array((P, *images_of_one) if in_axes[0] == 0 else images_of_one, 0)
    kernel_of_one = (3, 5, images_of_one[-1], 5)
    kernels = random_array((P, *kernel_of_one) if in_axes[1] == 0 else kernel_of_one, 1)

    def one(images: jax.Array, kernel: jax.Array) -> Any:
        weights = jnp.sin(jnp.arange(5.0))
        return jax.value_and_grad(lambda i, k: (function(i, k) ** 2 * weights).sum(), argnums=(0, 1))(images, kernel)

    value, gradients = jax.jit(jax.vmap(one, in_axes=in_axes))(images, kernels)
    return value, *gradients


expected_of_a_population = cache(partial(of_a_population, references.convolution))


#: Lowerings, and the axes of candidates in images and kernels. Where only one of these has such an axis, "patches" and
#: "mapped" do nothing that "grouped" does not do, or that they do not do where both have it.
MAPPED: list[tuple[ConvolutionLowering, tuple[int | None, int | None]]] = [
    *((lowering, (0, 0)) for lowering in LOWERINGS),
    *(("canonical", (None, 0)), ("canonical", (0, None)), ("grouped", (None, 0)), ("grouped", (0, None))),
]


@pytest.mark.parametrize(
    ("images_of_one", "lowering", "in_axes"),
    # More images than a group of the canonical form, and fewer.
    [*(((12, 6, 7, 3), *each) for each in MAPPED), ((4, 8, 8, 2), "canonical", (0, 0))],
)
def test_a_convolution_is_that_of_a_population_under_vmap(
    images_of_one: tuple[int, ...], lowering: ConvolutionLowering, in_axes: tuple[int | None, int | None]
) -> None:
    with lowered_convolutions(lowering):
        ours = of_a_population(convolve, images_of_one, in_axes)
    assert_close(ours, expected_of_a_population(images_of_one, in_axes))


@pytest.mark.parametrize(("lowering", "in_axes"), [each for each in MAPPED if each[1] != (0, None)])
def test_what_is_not_finite_in_one_candidate_does_not_reach_the_others(
    lowering: ConvolutionLowering, in_axes: tuple[int | None, int | None]
) -> None:
    images = random_array((3, 12, 6, 7, 3) if in_axes[0] == 0 else (12, 6, 7, 3), 0)
    kernels = random_array((3, 3, 3, 3, 5), 1)

    @jax.jit
    def population(images: jax.Array, kernels: jax.Array, scales: jax.Array) -> Any:
        def one(images: jax.Array, kernel: jax.Array, scale: jax.Array) -> Any:
            features, pullback = jax.vjp(convolve, images, kernel)
            return features, *pullback(features * scale)

        return jax.vmap(one, in_axes=(*in_axes, 0))(images, kernels, scales)

    with lowered_convolutions(lowering):
        healthy = [np.asarray(each) for each in population(images, kernels, np.ones(3, np.float32))]
        for broken in (np.nan, np.inf, 3e38):
            scales = np.array([1, broken, 1], np.float32)
            with np.errstate(over="ignore"):
                result = population(images, kernels * scales[:, None, None, None, None], scales)
            for ours, theirs in zip(map(np.asarray, result), healthy, strict=True):
                assert not np.isfinite(ours[1]).all()
                np.testing.assert_array_equal(ours[::2], theirs[::2])


def test_a_lowering_holds_for_gradients_that_are_taken_after_it() -> None:
    images, kernel = random_array((2, 4, 4, 1), 0), random_array((3, 3, 1, 2), 1)
    with lowered_convolutions("patches"):
        _, pullback = jax.vjp(jax.vmap(convolve), images[None], kernel[None])
    text = jax.jit(pullback).lower(random_array((1, 2, 4, 4, 2), 2)).as_text()
    assert "dot_general" in text
    assert "stablehlo.convolution" not in text
