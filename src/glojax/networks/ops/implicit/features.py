"""The features of a convolution, or of one with what follows it in a block."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from glojax.networks.ops.implicit.call import call, flat, store
from glojax.networks.ops.implicit.form import CELLS, CUT_OFF, ELEMENTS, Form
from glojax.networks.ops.implicit.pixels import Cells, first_pixels, gathered, pixels_of


def _forward_kernel(images_ref: Any, kernel_ref: Any, scale_ref: Any, *refs: Any, form: Form) -> None:
    cells = Cells.of(form, pl.program_id(0))
    zeros = jnp.zeros((CELLS, form.Cout), jnp.float32)
    window = _gathered_features if form.is_gathered else _window_features
    first = first_pixels(form, cells)
    rows = [window(form, first, images_ref, kernel_ref, down, zeros) for down in (0, 1)]
    scale = scale_ref[0]
    if not form.is_pooled:
        (features_ref,) = refs
        for down, row in enumerate(rows):
            for right, features in enumerate(row):
                pixel = (cells.image * form.H + 2 * cells.row + down) * form.W + 2 * cells.column + right
                store(features_ref, pixel, features * scale)
        return
    bias_ref, features_ref, place_ref = refs
    (upper_left, upper_right), (lower_left, lower_right) = rows
    upper, lower = jnp.maximum(upper_left, upper_right), jnp.maximum(lower_left, lower_right)
    upper_place = jnp.where(upper_right > upper_left, 1, 0)
    lower_place = jnp.where(lower_right > lower_left, 3, 2)
    features = jnp.maximum(jnp.maximum(upper, lower) * scale + bias_ref[:][None, :], 0.0)
    place = jnp.where(features > 0, jnp.where(lower > upper, lower_place, upper_place), CUT_OFF)
    store(features_ref, cells.number, features)
    store(place_ref, cells.number, place.astype(jnp.int8))


def _window_features(
    form: Form, first: jax.Array, images_ref: Any, kernel_ref: Any, down: int, zeros: jax.Array
) -> tuple[jax.Array, ...]:
    """Return the features of the two pixels of a row of the cells."""

    def add_row(kh: jax.Array, sums: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        left, right = sums
        kernels = [kernel_ref[kh * form.KW + kw, :, :] for kw in range(form.KW)]
        for step in range(form.KW + 1):
            pixels = pixels_of(form, first, images_ref, form.Cin, down + kh, step)
            if step < form.KW:
                left += triton.dot(pixels, kernels[step])
            if step > 0:
                right += triton.dot(pixels, kernels[step - 1])
        return left, right

    sums: tuple[jax.Array, ...] = lax.fori_loop(0, form.KH, add_row, (zeros, zeros))
    return sums


def _gathered_features(
    form: Form, first: jax.Array, images_ref: Any, kernel_ref: Any, down: int, zeros: jax.Array
) -> tuple[jax.Array, ...]:
    sums = [zeros, zeros]
    for start in range(0, form.num_elements, ELEMENTS):
        kernel = kernel_ref[pl.ds(start, ELEMENTS), :]
        for right in (0, 1):
            sums[right] += triton.dot(gathered(form, first, images_ref, down, right, start), kernel)
    return tuple(sums)


def forward(
    form: Form, images: jax.Array, kernels: jax.Array, scale: jax.Array, biases: jax.Array
) -> tuple[jax.Array, ...]:
    """Return features, and the places of the largest pixels of each cell if they are pooled.

    Args:
        form: That of images and kernels.
        images: [P or 1, B, H + ., W + ., Cin], padded by `form.margins`, of 16 bits.
        kernels: [P or 1, KH, KW, Cin, Cout], of 16 bits.
        scale: [P or 1] float32; the sums of products are multiplied by it.
        biases: [P or 1, Cout] float32; of no meaning without pooling.

    Returns:
        Features [P, B, H, W, Cout]; with pooling these [P, B, H/2, W/2, Cout] and places of the same shape.
    """
    P = max(map(len, (images, kernels, biases)))
    inputs = [flat(images), _flat_kernels(form, kernels), scale[:, None]]
    if form.is_pooled:
        shape = (P, form.num_cells, form.Cout)
        shapes = [jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct(shape, jnp.int8)]
        inputs.append(biases)
    else:
        shapes = [jax.ShapeDtypeStruct((P, 4 * form.num_cells, form.Cout), jnp.float32)]
    kernel = partial(_forward_kernel, form=form)
    results = call(kernel, (form.num_blocks,), inputs, shapes, num_stages=2 if form.Cin <= 32 else 1)
    sides = (form.H // 2, form.W // 2) if form.is_pooled else (form.H, form.W)
    return tuple(array.reshape(P, form.B, *sides, form.Cout) for array in results)


def _flat_kernels(form: Form, kernels: jax.Array) -> jax.Array:
    """Return kernels [P, KH * KW, Cin, Cout], or [P, elements, Cout] with zeros for elements that are filled up."""
    if not form.is_gathered:
        return kernels.reshape(len(kernels), -1, form.Cin, form.Cout)
    flat = kernels.reshape(len(kernels), -1, form.Cout)
    return jnp.pad(flat, [(0, 0), (0, -form.num_elements % ELEMENTS), (0, 0)])
