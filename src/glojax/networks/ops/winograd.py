"""5x5 convolutions with fewer multiplications, for a CPU.

A direct convolution computes a tile of 4x4 features with 5x5 elements of the kernel each, in 400 multiplications for
each pair of channels. As a product of polynomials, the tile is determined by its values at 8x8 points, which take 64
multiplications. The transformations of images and kernel to values and back are linear, and pay off where there are
many channels.

In float32 the error of features and gradients is 3e-6 to 5e-6 of their root mean square, ten times that of a direct
convolution; `tests/networks/test_winograd.py` compares them with float64.

Source: Winograd (1980), Arithmetic complexity of computations; Lavin and Gray (2016), Fast algorithms for convolutional
neural networks, whose F(4x4, 5x5), A, B and G these are. The points, and how they are scaled, are ours.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

KERNEL: Final = 5

#: Side of a tile of features.
TILE: Final = 4
_POINTS: Final = TILE + KERNEL - 1

#: Polynomials are evaluated at 0, at these, at their opposites, and at infinity; in this order.
_POSITIVE: Final = (1.0, 0.5, 2.0)

#: Number of channels below which a direct convolution is faster, as the transformations would dominate.
LEAST_CHANNELS: Final = 16


def _evaluation(num_coefficients: int) -> np.ndarray:
    """Return the values [8, K] at all points of the polynomials x^k."""
    finite = [0.0, *_POSITIVE, *(-point for point in _POSITIVE)]
    leading = [0.0] * (num_coefficients - 1) + [1.0]
    return np.array([[point**power for power in range(num_coefficients)] for point in finite] + [leading])


def _matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A^T [4, 8], G [8, 5] and B^T [8, 8]: features are A^T ((G kernel) * (B^T images)), along each axis."""
    A, G = _evaluation(TILE), _evaluation(KERNEL)
    B = np.linalg.inv(_evaluation(_POINTS))
    # Each point has a free factor between B and G; equal shares lose the least precision.
    scale = np.sqrt(np.abs(B).max(axis=0) / np.abs(G).max(axis=1))
    transformation = (B / scale).T
    # The inversion turns zeros into rounding errors.
    return A.T, G * scale[:, None], np.where(np.abs(transformation) < 1e-12, 0, transformation)


_AT, _G, _BT = _matrices()

#: Transformations along both axes at once.
_A2, _G2 = (np.kron(matrix, matrix).astype(np.float32) for matrix in (_AT, _G))


def applies(kernel_shape: Sequence[int]) -> bool:
    """Return whether a convolution of a few images by such a kernel is faster in this form."""
    return tuple(kernel_shape[:2]) == (KERNEL, KERNEL) and min(kernel_shape[2:]) >= LEAST_CHANNELS


def forward(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Return features [B, H, W, Cout] of images [B, H, W, Cin], zero-padded, and a kernel [5, 5, Cin, Cout]."""
    values = lax.dot_general(_image_values(images), _kernel_values(kernel), (((2,), (1,)), ((0,), (0,))))
    return _from_tiles(jnp.matmul(_A2, values.reshape(_POINTS**2, -1)), images, kernel.shape[-1])


def gradients(images: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the gradients of images and kernel: the transposes of `forward`."""
    values = jnp.matmul(_A2.T, _to_tiles(cotangent)).reshape(_POINTS**2, -1, kernel.shape[-1])
    kernel_values = lax.dot_general(_image_values(images), values, (((1,), (1,)), ((0,), (0,))))
    image_values = lax.dot_general(values, _kernel_values(kernel), (((2,), (2,)), ((0,), (0,))))
    kernel_gradient = jnp.matmul(_G2.T, kernel_values.reshape(_POINTS**2, -1)).reshape(kernel.shape)
    return _image_values_transposed(image_values, images), kernel_gradient


def _kernel_values(kernel: jax.Array) -> jax.Array:
    """Return the values [64, Cin, Cout] of the kernels."""
    return jnp.matmul(_G2, kernel.reshape(KERNEL**2, -1)).reshape(_POINTS**2, *kernel.shape[2:])


def _num_tiles(images: jax.Array) -> tuple[int, int]:
    return -(-images.shape[1] // TILE), -(-images.shape[2] // TILE)


def _image_values(images: jax.Array) -> jax.Array:
    """Return the values [64, N, Cin] of the N windows of 8x8 pixels, one for each tile of features."""
    B, H, W, C = images.shape
    rows, columns = _num_tiles(images)
    margins = [(KERNEL // 2, (tiles + 1) * TILE - size - KERNEL // 2) for tiles, size in ((rows, H), (columns, W))]
    padded = jnp.pad(images, [(0, 0), *margins, (0, 0)]).reshape(B, rows + 1, TILE, columns + 1, TILE, C)
    # Windows overlap by half. Lines of all windows are transformed together.
    lines = _sums(_BT, [padded[:, k // TILE :, k % TILE][:, :rows] for k in range(_POINTS)])
    stacked = lax.optimization_barrier(jnp.stack(lines))
    values = _sums(_BT, [stacked[:, :, :, k // TILE :, k % TILE][:, :, :, :columns] for k in range(_POINTS)])
    return jnp.stack(values, axis=1).reshape(_POINTS**2, -1, C)


def _image_values_transposed(values: jax.Array, images: jax.Array) -> jax.Array:
    """Return images [B, H, W, Cin] from values [64, N, Cin]."""
    B, H, W, C = images.shape
    rows, columns = _num_tiles(images)
    values = values.reshape(_POINTS, _POINTS, B, rows, columns, C)
    lines = _overlapping(_sums(_BT.T, [values[:, k] for k in range(_POINTS)]), axis=3)
    stacked = lax.optimization_barrier(jnp.stack(lines, axis=4))
    padded = jnp.stack(_overlapping(_sums(_BT.T, list(stacked)), axis=1), axis=2)
    margin = KERNEL // 2
    whole = padded.reshape(B, (rows + 1) * TILE, (columns + 1) * TILE, C)
    return whole[:, margin : margin + H, margin : margin + W]


def _sums(matrix: np.ndarray, parts: Sequence[jax.Array]) -> list[jax.Array]:
    """Multiply the matrix by the vector of parts, by sums: a matrix product is slower for so small a matrix."""
    rows = ([(float(weight), part) for weight, part in zip(row, parts, strict=True) if weight] for row in matrix)
    return [reduce(jnp.add, [weight * part for weight, part in row]) for row in rows]


def _overlapping(parts: Sequence[jax.Array], axis: int) -> list[jax.Array]:
    """Add the second half of the parts to the first, shifted by one along an axis."""
    shapes = [[(margin if each == axis else (0, 0)) for each in range(parts[0].ndim)] for margin in ((0, 1), (1, 0))]
    pairs = zip(parts[:TILE], parts[TILE:], strict=True)
    return [jnp.pad(first, shapes[0]) + jnp.pad(second, shapes[1]) for first, second in pairs]


def _from_tiles(tiles: jax.Array, images: jax.Array, num_channels: int) -> jax.Array:
    """Return features [B, H, W, C] from tiles [16, N * C]."""
    B, H, W, _ = images.shape
    rows, columns = _num_tiles(images)
    whole = tiles.reshape(TILE, TILE, B, rows, columns, num_channels).transpose(2, 3, 0, 4, 1, 5)
    return whole.reshape(B, rows * TILE, columns * TILE, num_channels)[:, :H, :W]


def _to_tiles(features: jax.Array) -> jax.Array:
    """Apply the transpose of `_from_tiles`."""
    B, H, W, C = features.shape
    rows, columns = _num_tiles(features)
    whole = jnp.pad(features, [(0, 0), (0, rows * TILE - H), (0, columns * TILE - W), (0, 0)])
    # Two stacks of slices are faster than one transposition.
    lines = whole.reshape(B, rows, TILE, columns * TILE, C)
    lines = jnp.stack([lines[:, :, i] for i in range(TILE)]).reshape(TILE, B, rows, columns, TILE, C)
    return jnp.stack([lines[..., j, :] for j in range(TILE)], axis=1).reshape(TILE**2, -1)
