"""What programs read: the pixels around their cells."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.pallas import triton

from glojax.networks.ops.implicit.form import CELLS, ELEMENTS, Form


class Cells(NamedTuple):
    """Cells [M]: number, image, row and column, and whether they exist: those that do not repeat the last one."""

    number: jax.Array
    image: jax.Array
    row: jax.Array
    column: jax.Array
    exists: jax.Array

    @classmethod
    def of(cls, form: Form, block: jax.Array) -> "Cells":
        """Return the cells of a block."""
        number = block * CELLS + jnp.arange(CELLS)
        exists = number < form.num_cells
        number = jnp.minimum(number, form.num_cells - 1)
        rows, columns = form.H // 2, form.W // 2
        place = number % (rows * columns)
        return cls(number, number // (rows * columns), place // columns, place % columns, exists)


def first_pixels(form: Form, cells: Cells) -> jax.Array:
    """Return the numbers [M], among the pixels of padded images, of the first pixels of the cells' windows."""
    (_, (above, below), (left, right), _) = form.margins
    return (cells.image * (above + form.H + below) + 2 * cells.row) * (left + form.W + right) + 2 * cells.column


def pixels_of(
    form: Form, first: jax.Array, ref: Any, channels: int, down: Any, right: Any, number: int = 1
) -> jax.Array:
    """Return [M, number * channels] of padded pixels side by side, so far down and right in the cells' windows."""
    (_, _, (left, after), _) = form.margins
    pixel = first + down * (left + form.W + after) + right
    return triton.load(ref.at[(pixel * channels)[:, None] + jnp.arange(number * channels)[None, :]])


def gathered(form: Form, first: jax.Array, ref: Any, down: int, right: int, start: int) -> jax.Array:
    """Return elements [M, ELEMENTS] of the windows of the pixels so far down and right in the cells.

    Where there are no more elements, the last one is repeated.
    """
    (_, _, (left, after), _) = form.margins
    element = jnp.minimum(start + jnp.arange(ELEMENTS), form.num_elements - 1)
    place = element // form.Cin
    away = (down + place // form.KW) * (left + form.W + after) + right + place % form.KW
    return triton.load(ref.at[(first * form.Cin)[:, None] + (away * form.Cin + element % form.Cin)[None, :]])


def pooled_cotangents(
    form: Form, cells: Cells, cotangent_ref: Any, place_ref: Any, above: Any, beside: int
) -> tuple[jax.Array, jax.Array]:
    """Return cotangents [M, Cout] of the features of cells so far away, and the places of their largest pixels."""
    (_, (top, bottom), (left, right), _) = form.cell_margins
    rows, columns, channels = form.H // 2, form.W // 2, jnp.arange(form.Cout)[None, :]
    row, column = cells.row + above, cells.column + beside
    padded = (cells.image * (top + rows + bottom) + row + top) * (left + columns + right) + column + left
    cotangent = triton.load(cotangent_ref.at[(padded * form.Cout)[:, None] + channels])
    # Outside of the images, the cotangent is 0 whatever the place.
    row, column = jnp.clip(row, 0, rows - 1), jnp.clip(column, 0, columns - 1)
    number = (cells.image * rows + row) * columns + column
    return cotangent, triton.load(place_ref.at[(number * form.Cout)[:, None] + channels]).astype(jnp.int32)
