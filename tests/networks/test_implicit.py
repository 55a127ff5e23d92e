"""Kernels of our own, interpreted, against JAX's convolution."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.networks.ops import convolution as ops
from glojax.networks.ops.implicit.form import Form, applies
from glojax.networks.ops.lowering import Precision, lowered_convolutions
from tests.networks import references
from tests.networks.references import random_array

P = 2

#: Digits after which operands of products are rounded: half of the last one, relative.
ROUNDING: dict[Precision | None, float] = {None: 2**-11, "tf32": 2**-11, "bf16": 2**-8}

# [B, H, W, Cin], KH and KW, Cout. Few channels, of which all elements of a window are one axis; a row of a window as
# one span of pixels and another; in groups of spans; a window that is not square; more cells than a program takes.
SHAPES = [
    ((3, 6, 8, 1), (5, 5), 16),
    ((2, 4, 6, 3), (3, 5), 32),
    ((3, 6, 4, 16), (5, 5), 16),
    ((2, 4, 4, 64), (5, 3), 16),
    ((9, 6, 6, 16), (3, 3), 16),
]


def convolve_pool_relu(images: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return jax.nn.relu(references.max_pool(references.convolution(images, kernel), 2) + bias)


def population(
    function: Callable[..., jax.Array],
    operands: list[np.ndarray],
    cotangent: np.ndarray,
    images_axis: Literal[0] | None,
) -> list[np.ndarray]:
    in_axes = (images_axis, *[0] * (len(operands) - 1))
    return references.value_and_gradients(jax.vmap(function, in_axes), operands, cotangent)


def assert_close(ours: list[np.ndarray], expected: list[np.ndarray], rounding: float) -> None:
    """Compare by norms: errors of operands add up like random numbers."""
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine.shape == theirs.shape
        assert np.linalg.norm(mine - theirs) <= 2 * rounding * np.linalg.norm(theirs)


@pytest.mark.parametrize(
    ("sizes", "images_axis", "precision"),
    [(SHAPES[0], None, None), (SHAPES[1], 0, "tf32"), *((sizes, 0, "bf16") for sizes in SHAPES[2:])],
)
def test_convolutions_and_their_gradients_are_those_of_jax(
    sizes: Any, images_axis: Literal[0] | None, precision: Precision | None
) -> None:
    shape, window, Cout = sizes
    assert applies(shape, (*window, shape[-1], Cout))
    # Values as they occur in no network: the scale takes care of them.
    images = 1e4 * random_array(shape if images_axis is None else (P, *shape), 0)
    kernels, cotangent = random_array((P, *window, shape[-1], Cout), 1), 1e-9 * random_array((P, *shape[:-1], Cout), 2)
    expected = population(references.convolution, [images, kernels], cotangent, images_axis)
    with lowered_convolutions("implicit", precision):
        ours = population(ops.convolve, [images, kernels], cotangent, images_axis)
    assert_close(ours, expected, ROUNDING[precision])


@pytest.mark.parametrize(("sizes", "images_axis"), [(SHAPES[0], None), (SHAPES[2], 0), (SHAPES[4], 0)])
def test_a_block_and_its_gradients_are_those_of_jax(sizes: Any, images_axis: Literal[0] | None) -> None:
    shape, window, Cout = sizes
    B, H, W, Cin = shape
    # Numbers that float16 holds, and whose sums differ: a window has one largest value in both.
    rng = np.random.default_rng(0)
    images = rng.integers(-8, 9, shape if images_axis is None else (P, *shape)).astype(np.float32)
    kernels = 2.0 ** -rng.integers(0, 12, (P, *window, Cin, Cout)).astype(np.float32)
    biases = -np.abs(random_array((P, Cout), 1))
    cotangent = random_array((P, B, H // 2, W // 2, Cout), 2)
    operands = [images, kernels, biases]
    expected = population(convolve_pool_relu, operands, cotangent, images_axis)
    assert 0 < np.count_nonzero(expected[0] == 0) < expected[0].size
    with lowered_convolutions("implicit"):
        ours = population(ops.convolve_pool_relu, operands, cotangent, images_axis)
    np.testing.assert_allclose(ours[0], expected[0], rtol=1e-5)
    assert_close(ours, expected, ROUNDING[None])


def test_one_candidate_is_a_population_of_one() -> None:
    images, kernels, biases = random_array((P, 2, 4, 4, 16), 0), random_array((P, 3, 3, 16, 16), 1), np.ones((P, 16))
    with lowered_convolutions("implicit"):
        together = jax.jit(jax.vmap(ops.convolve_pool_relu))(images, kernels, biases.astype(np.float32))
        alone = jax.jit(ops.convolve_pool_relu)(images[1], kernels[1], biases[1].astype(np.float32))
    np.testing.assert_array_equal(alone, together[1])


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_not_finite_in_one_candidate_does_not_reach_the_others(broken: float) -> None:
    images, kernels = random_array((2, 4, 4, 1), 0), random_array((3, 3, 3, 1, 16), 1)
    biases = np.zeros((3, 16), np.float32)
    ill = kernels * np.array([1, broken, 1], np.float32)[:, None, None, None, None]
    compute = jax.jit(jax.vmap(jax.value_and_grad(lambda k, b: _total(images, k, b))))
    with lowered_convolutions("implicit"):
        healthy, result = compute(kernels, biases), compute(ill, biases)
    assert not np.isfinite(result[0][1])
    for ours, theirs in zip(result, healthy, strict=True):
        np.testing.assert_array_equal(ours[::2], theirs[::2])


def _total(images: np.ndarray, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return (ops.convolve_pool_relu(jnp.asarray(images), kernel, bias) ** 2).sum()


@pytest.mark.parametrize(
    ("images", "kernel"),
    [
        ((2, 5, 4, 16), (3, 3, 16, 16)),
        ((2, 4, 4, 16), (2, 3, 16, 16)),
        ((2, 4, 4, 24), (3, 3, 24, 16)),
        ((2, 4, 4, 128), (3, 3, 128, 16)),
        ((2, 4, 4, 16), (3, 3, 16, 10)),
        ((2, 4, 4, 15), (5, 5, 15, 16)),
    ],
)
def test_what_the_kernels_are_not_made_for_is_left_to_the_library(
    images: tuple[int, ...], kernel: tuple[int, ...]
) -> None:
    assert not applies(images, kernel)


@pytest.mark.parametrize("setting", ["highest", "float32", "F32_F32_F32", "TF32_TF32_F32_X3"])
def test_products_of_float32_are_left_to_the_library(setting: str) -> None:
    images, kernel = random_array((2, 4, 4, 16), 0), random_array((3, 3, 16, 16), 1)

    def has_kernel(precision: Precision | None) -> bool:
        with lowered_convolutions("implicit", precision):
            return "pallas_call" in str(jax.make_jaxpr(ops.convolve)(images, kernel))

    assert has_kernel(None)
    assert not has_kernel("float32")
    with jax.default_matmul_precision(setting):
        assert not has_kernel(None)


def test_a_jax_without_pallas_for_triton_leaves_all_to_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    images, kernel = jnp.ones((2, 4, 4, 16)), jnp.ones((3, 3, 16, 16))
    monkeypatch.delattr("glojax.networks.ops.implicit.convolution", raising=False)
    monkeypatch.setitem(sys.modules, "glojax.networks.ops.implicit.convolution", None)
    monkeypatch.setattr(ops, "_kernels", ops._kernels.__wrapped__)
    with lowered_convolutions("implicit"):
        assert not ops._fits_kernels(images, kernel)
        np.testing.assert_allclose(ops.convolve(images, kernel)[:, 1, 1], 9 * 16)


@pytest.mark.parametrize("lowering", ["canonical", "grouped"])
def test_operands_are_rounded_to_bfloat16_in_every_form(lowering: Any) -> None:
    images, kernel = random_array((12, 6, 6, 3), 0), random_array((3, 3, 3, 7), 1)
    cotangent = random_array((12, 6, 6, 7), 2)

    def short(array: Any) -> Any:
        return np.asarray(array).astype(jnp.bfloat16).astype(np.float32)

    expected = references.value_and_gradients(references.convolution, (short(images), short(kernel)), short(cotangent))
    with lowered_convolutions(lowering, "bf16"):
        ours = references.value_and_gradients(ops.convolve, (images, kernel), cotangent)
    assert_close(ours, expected, 1e-6)


def test_spans_cover_a_row_of_a_window_and_their_sums_fit_the_registers() -> None:
    for Cin in (16, 32, 64):
        for side in (1, 3, 5, 7, 9):
            form = Form(4, 8, 8, Cin, side, side, 64, False)
            per_program = sum(form.widths) // form.num_groups * Cin
            assert side <= sum(form.widths) <= side + form.widths[0] - 1
            assert per_program <= 192
            assert all(width & (width - 1) == 0 for width in form.widths)


def test_parts_of_a_sum_are_few_blocks_and_at_most_64() -> None:
    counts = [
        partial(Form, H=14, W=14, Cin=32, KH=5, KW=5, Cout=64, is_pooled=True)(B=B).num_parts for B in (1, 100, 10**5)
    ]
    assert counts == [1, 4, 64]
