"""Pooling over windows of any size, stride, padding and dilation, in forms that are fast on a CPU inside a loop."""

from collections.abc import Sequence
from functools import partial, reduce
from itertools import product
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from glojax.networks.ops.pooling import max_pool, overlapping_max_pool

#: Largest number of elements of a window: each of them is an operation.
MAX_ELEMENTS = 64


class WindowForm(NamedTuple):
    """Size, strides and dilation of windows, with padding and dilation of what they slide over; for each axis."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    base_dilation: tuple[int, ...]
    window_dilation: tuple[int, ...]

    @property
    def num_elements(self) -> int:
        """The number of elements of a window."""
        return prod(self.window)


def window_max(images: jax.Array, **params: Any) -> jax.Array | None:
    """Return the largest value of each window, as `lax.reduce_window` does; None where it has too many elements.

    A window's gradient goes to the first of its largest values. Differentiable once, in reverse mode.
    """
    form = _form(**params)
    if form.num_elements > MAX_ELEMENTS or not jnp.issubdtype(images.dtype, jnp.floating):
        return None
    plain = WindowForm((1, 2, 2, 1), (1, 2, 2, 1), ((0, 0),) * images.ndim, (1,) * images.ndim, (1,) * images.ndim)
    if form == plain and not any(side % 2 for side in images.shape[1:3]):
        return max_pool(images)
    if form == plain._replace(window=(1, 3, 3, 1), padding=_same(images.shape)):
        return overlapping_max_pool(images)
    return _window_max(form, images.shape, images)


def window_min(images: jax.Array, **params: Any) -> jax.Array | None:
    """Return the smallest value of each window; see `window_max`."""
    largest = window_max(-images, **params)
    return None if largest is None else -largest


def window_sum(images: jax.Array, **params: Any) -> jax.Array | None:
    """Return the sum of each window, as `lax.reduce_window` does; None where it has too many elements."""
    form = _form(**params)
    if form.window[1:-1] == images.shape[1:-1] and not any(map(any, form.padding)):
        return images.sum(range(1, images.ndim - 1), keepdims=True)
    if form.num_elements > MAX_ELEMENTS:
        return None
    return reduce(jnp.add, window_elements(form, 0, images))


def _form(
    *,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> WindowForm:
    return WindowForm(
        tuple(window_dimensions), tuple(window_strides), tuple(padding), tuple(base_dilation), tuple(window_dilation)
    )


def _same(shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the padding of `overlapping_max_pool` for images [B, H, W, C]."""
    return ((0, 0), *((side % 2, 1) for side in shape[1:3]), (0, 0))


def window_elements(form: WindowForm, filling: float, images: jax.Array) -> list[jax.Array]:
    """Return the first element of all windows, their second, and so on."""
    margins = [(*margin, dilation - 1) for margin, dilation in zip(form.padding, form.base_dilation, strict=True)]
    padded = lax.pad(images, jnp.asarray(filling, images.dtype), margins)
    reaches = [(size - 1) * step for size, step in zip(form.window, form.window_dilation, strict=True)]
    extents = [side - reach for side, reach in zip(padded.shape, reaches, strict=True)]

    def element(position: tuple[int, ...]) -> jax.Array:
        starts = [index * step for index, step in zip(position, form.window_dilation, strict=True)]
        stops = [start + extent for start, extent in zip(starts, extents, strict=True)]
        return lax.slice(padded, starts, stops, form.strides)

    return [element(position) for position in product(*map(range, form.window))]


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _window_max(form: WindowForm, shape: tuple[int, ...], images: jax.Array) -> jax.Array:
    return _forward(form, shape, images)[0]


def _forward(form: WindowForm, shape: tuple[int, ...], images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the largest values and, as numbers of elements, where they are."""
    first, *others = window_elements(form, -jnp.inf, images)
    largest, index = first, jnp.zeros(first.shape, jnp.uint8)
    for number, element in enumerate(others, start=1):
        index = jnp.where(element > largest, jnp.uint8(number), index)
        largest = jnp.maximum(largest, element)
    return largest, index


def _backward(form: WindowForm, shape: tuple[int, ...], index: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    spread = [jnp.where(index == number, cotangent, 0) for number in range(form.num_elements)]
    images = jax.ShapeDtypeStruct(shape, cotangent.dtype)
    gradient: tuple[jax.Array] = jax.linear_transpose(partial(window_elements, form, 0), images)(spread)
    return gradient


_window_max.defvjp(_forward, _backward)
