"""The gradient of the images of a convolution."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from glojax.networks.ops.implicit.call import call, flat
from glojax.networks.ops.implicit.form import CELLS, Form
from glojax.networks.ops.implicit.pixels import Cells, first_pixels, pixels_of, pooled_cotangents


def _images_gradient_kernel(cotangent_ref: Any, *refs: Any, form: Form) -> None:
    *place_refs, kernel_ref, scale_ref, gradient_ref = refs
    cells = Cells.of(form, pl.program_id(0))

    def add_row(step: jax.Array, gradient: jax.Array) -> jax.Array:
        for number, cotangent in enumerate(_row_of_cotangents(form, cells, cotangent_ref, place_refs, step)):
            gradient += triton.dot(cotangent, kernel_ref[step * (form.KW + 1) + number, :, :])
        return gradient

    zeros = jnp.zeros((CELLS, 4 * form.Cin), jnp.float32)
    gradient = lax.fori_loop(0, form.KH + 1, add_row, zeros) * scale_ref[0]
    column = jnp.arange(4 * form.Cin)
    place = column // form.Cin
    row = (cells.image * form.H + 2 * cells.row)[:, None] + (place // 2)[None, :]
    pixel = row * form.W + (2 * cells.column)[:, None] + (place % 2)[None, :]
    triton.store(gradient_ref.at[pixel * form.Cin + (column % form.Cin)[None, :]], gradient)


def _row_of_cotangents(
    form: Form, cells: Cells, cotangent_ref: Any, place_refs: list[Any], step: jax.Array
) -> Iterator[jax.Array]:
    """Yield, from left to right, the cotangents [M, Cout] of the pixels in a row of the window around a cell."""
    if not form.is_pooled:
        first = first_pixels(form, cells)
        for right in range(form.KW + 1):
            yield pixels_of(form, first, cotangent_ref, form.Cout, step, right)
        return
    (_, (reach, _), _, _) = form.cell_margins
    down = step + 2 * reach - form.KH // 2
    above = (down >> 1) - reach  # of cells
    pooled: dict[int, tuple[jax.Array, jax.Array]] = {}
    for right in range(form.KW + 1):
        beside, q = divmod(right - form.KW // 2, 2)
        if beside not in pooled:
            pooled[beside] = pooled_cotangents(form, cells, cotangent_ref, place_refs[0], above, beside)
        cotangent, places = pooled[beside]
        yield jnp.where(places == 2 * (down & 1) + q, cotangent, jnp.zeros_like(cotangent))


def images_gradient(form: Form, *arrays: jax.Array) -> tuple[jax.Array]:
    """Return the gradient [P, B, H, W, Cin] of the images; see `forward`.

    Args:
        form: That of images and kernels.
        *arrays: Cotangents of the features, padded, of 16 bits; places if they are pooled; kernels; the scale.
    """
    P = max(map(len, arrays))
    *of_features, kernels, scale = arrays
    # For each pixel of a cell's window, the elements of the kernels that lead from it to the four pixels of the cell.
    turned = jnp.pad(jnp.flip(kernels, (1, 2)), [(0, 0), (1, 1), (1, 1), (0, 0), (0, 0)])
    down, right = form.KH + 1, form.KW + 1
    to_cell = [turned[:, 1 - i : 1 - i + down, 1 - j : 1 - j + right] for i in (0, 1) for j in (0, 1)]
    of_window = jnp.stack(to_cell, 3).reshape(len(kernels), down * right, 4 * form.Cin, form.Cout).swapaxes(2, 3)
    inputs = [*map(flat, of_features), of_window, scale[:, None]]
    shapes = [jax.ShapeDtypeStruct((P, form.B * form.H * form.W * form.Cin), jnp.float32)]
    kernel = partial(_images_gradient_kernel, form=form)
    (gradient,) = call(kernel, (form.num_blocks,), inputs, shapes)
    return (gradient.reshape(P, form.B, form.H, form.W, form.Cin),)
