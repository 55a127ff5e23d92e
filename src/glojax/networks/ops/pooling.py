"""Max-pooling whose backward pass is fast inside a loop: it uses the indices of maxima that the forward pass saved."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax


@jax.custom_vjp
def max_pool(images: jax.Array) -> jax.Array:
    """Return the largest values [B, H/2, W/2, C] of the 2x2 windows, at stride 2, of images with even H and W.

    A window's gradient goes to the first of its largest values. Differentiable once, in reverse mode.
    """
    return _max_pool_forward(images)[0]


def _max_pool_forward(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    B, H, W, C = images.shape
    windows = images.reshape(B, H // 2, 2, W // 2, 2, C)
    upper_left, upper_right = windows[:, :, 0, :, 0], windows[:, :, 0, :, 1]
    lower_left, lower_right = windows[:, :, 1, :, 0], windows[:, :, 1, :, 1]
    upper, lower = jnp.maximum(upper_left, upper_right), jnp.maximum(lower_left, lower_right)
    upper_index = (upper_right > upper_left).astype(jnp.uint8)
    lower_index = (lower_right > lower_left).astype(jnp.uint8) + jnp.uint8(2)
    return jnp.maximum(upper, lower), jnp.where(lower > upper, lower_index, upper_index)


def _max_pool_backward(index: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    here = jnp.arange(4, dtype=jnp.uint8).reshape(1, 1, 2, 1, 2, 1)
    spread = jnp.where(index[:, :, None, :, None] == here, cotangent[:, :, None, :, None], 0)
    B, H, W, C = cotangent.shape
    return (spread.reshape(B, 2 * H, 2 * W, C),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def overlapping_max_pool(images: jax.Array) -> jax.Array:
    """Return the largest values [B, ceil(H/2), ceil(W/2), C] of the 3x3 windows, at stride 2, of images of any size.

    Windows leave no pixel out ("SAME"): where a side is even, they reach over its end by one pixel; where it is odd,
    over both ends. A window's gradient goes to the first of its largest values, row by row, as in TensorFlow and
    PyTorch. Differentiable once, in reverse mode.
    """
    return _overlapping_max_pool(images.shape[1:3], images)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _overlapping_max_pool(sides: tuple[int, int], images: jax.Array) -> jax.Array:
    return _overlapping_forward(sides, images)[0]


def _overlapping_forward(sides: tuple[int, int], images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the largest values and their indices: 4 times the row in the window plus the column."""
    # Windows start at 0, 2, 4, ... of the padded images.
    padded = jnp.pad(images, [(0, 0), *((side % 2, 1) for side in sides), (0, 0)], constant_values=-jnp.inf)
    values, indices = _largest_of_three(padded, jnp.zeros(padded.shape, jnp.uint8), axis=2, weight=1)
    return _largest_of_three(values, indices, axis=1, weight=4)


def _largest_of_three(values: jax.Array, indices: jax.Array, axis: int, weight: int) -> tuple[jax.Array, jax.Array]:
    """Return, along one axis, the first largest of each value at 0, 2, 4, ... and the two that follow it."""
    size = values.shape[axis] - 2
    (first, second, third), (first_index, second_index, third_index) = (
        [lax.slice_in_dim(array, start, start + size, 2, axis) for start in range(3)] for array in (values, indices)
    )
    value = jnp.maximum(first, second)
    index = jnp.where(second > first, second_index + jnp.uint8(weight), first_index)
    return jnp.maximum(value, third), jnp.where(third > value, third_index + jnp.uint8(2 * weight), index)


def _overlapping_backward(sides: tuple[int, int], indices: jax.Array, cotangent: jax.Array) -> tuple[jax.Array]:
    B, windows_down, windows_across, C = cotangent.shape
    # One more window on every side, whose gradient is dropped: each 2x2 pixels then lie in 2x2 windows.
    padding = [(0, 0), (1, 1), (1, 1), (0, 0)]
    cotangent = jnp.pad(cotangent, padding)
    indices = jnp.pad(indices, padding, constant_values=255)
    rows = jnp.arange(2, dtype=jnp.uint8).reshape(1, 1, 2, 1, 1, 1)
    columns = jnp.arange(2, dtype=jnp.uint8).reshape(1, 1, 1, 1, 2, 1)

    def from_window(above: int, left: int) -> jax.Array:
        """Return the pixels' gradient from the window that starts at them, or two pixels above or to the left."""
        down, across = slice(1 - above, windows_down + 2 - above), slice(1 - left, windows_across + 2 - left)
        here = jnp.uint8(4) * (rows + jnp.uint8(2 * above)) + columns + jnp.uint8(2 * left)
        return jnp.where(indices[:, down, None, across, None] == here, cotangent[:, down, None, across, None], 0)

    pixels = from_window(0, 0) + from_window(0, 1) + from_window(1, 0) + from_window(1, 1)
    pixels = pixels.reshape(B, 2 * windows_down + 2, 2 * windows_across + 2, C)
    H, W = sides
    return (pixels[:, H % 2 : H % 2 + H, W % 2 : W % 2 + W],)


_overlapping_max_pool.defvjp(_overlapping_forward, _overlapping_backward)
