"""Convolutions whose forward and backward passes are fast inside a loop.

Training is a loop that one compiled program runs, and there XLA on a CPU is fast with two things only: convolutions
in the canonical layout (NHWC images, HWIO kernels, stride 1, forward) and matrix products. So every part of a
convolution, gradients included, is written as one of these two; which one, is chosen by the size of the patch matrix
that a product needs.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

#: A patch matrix of up to this size is written whole, for one product; measured best on cores with 2 MB of cache each.
WHOLE_BYTES = 2**23

#: A larger one is written in blocks of images of up to this size, or of one image.
BLOCK_BYTES = 2**20


@jax.custom_vjp
def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve at stride 1, zero-padded so that the image keeps its size ("SAME").

    Args:
        images: [B, H, W, Cin].
        kernel: [KH, KW, Cin, Cout], KH and KW odd.

    Returns:
        [B, H, W, Cout]; what `jax.lax.conv_general_dilated` gives, up to rounding. Differentiable once,
        in reverse mode.
    """
    return _convolve_forward(images, kernel)[0]


def _convolve_forward(images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Features, and for the backward pass the patch matrix where it was written, else the images."""
    if _patch_bytes(images, kernel) > WHOLE_BYTES:
        dimensions = ("NHWC", "HWIO", "NHWC")
        features = lax.conv_general_dilated(images, kernel, (1, 1), "SAME", dimension_numbers=dimensions)
        return features, (images, kernel)
    Cout = kernel.shape[-1]
    patches = jnp.concatenate(_shifted(images, kernel.shape, axes=(1, 2)), axis=-1).reshape(-1, kernel.size // Cout)
    return (patches @ kernel.reshape(-1, Cout)).reshape(*images.shape[:-1], Cout), (patches, kernel)


def _convolve_backward(saved: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = saved
    images_gradient = convolve(cotangent, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    if inputs.ndim == 2:
        kernel_gradient = inputs.T @ cotangent.reshape(-1, kernel.shape[-1])
    else:
        kernel_gradient = _blockwise_kernel_gradient(inputs, cotangent, kernel)
    return images_gradient, kernel_gradient.reshape(kernel.shape)


convolve.defvjp(_convolve_forward, _convolve_backward)


def _blockwise_kernel_gradient(images: jax.Array, cotangent: jax.Array, kernel: jax.Array) -> jax.Array:
    """The patch matrix, transposed, times the cotangent, in blocks of images whose patches stay in the cache."""
    B = images.shape[0]
    Cout = kernel.shape[-1]
    largest = max(1, B * BLOCK_BYTES // _patch_bytes(images, kernel))
    size = max(size for size in range(1, largest + 1) if B % size == 0)

    def add_block(index: jax.Array, total: jax.Array) -> jax.Array:
        block = lax.dynamic_slice_in_dim(images, index * size, size).transpose(3, 0, 1, 2)
        patches = jnp.stack(_shifted(block, kernel.shape, axes=(2, 3))).reshape(kernel.size // Cout, -1)
        return total + patches @ lax.dynamic_slice_in_dim(cotangent, index * size, size).reshape(-1, Cout)

    none = jnp.zeros((kernel.size // Cout, Cout), kernel.dtype)
    total: jax.Array = lax.fori_loop(0, B // size, add_block, none)
    return total


def _patch_bytes(images: jax.Array, kernel: jax.Array) -> int:
    """Size of the matrix that holds the window around every pixel."""
    return images.size * kernel.shape[0] * kernel.shape[1] * images.dtype.itemsize


def _shifted(images: jax.Array, kernel_shape: Sequence[int], axes: tuple[int, int]) -> list[jax.Array]:
    """The zero-padded images as each element of the kernel sees them, row by row; `axes` are those of H and W."""
    KH, KW = kernel_shape[:2]
    H, W = (images.shape[axis] for axis in axes)
    padding = [(0, 0)] * images.ndim
    padding[axes[0]], padding[axes[1]] = (KH // 2, KH // 2), (KW // 2, KW // 2)
    padded = jnp.pad(images, padding)
    rows = [lax.slice_in_dim(padded, row, row + H, axis=axes[0]) for row in range(KH)]
    return [lax.slice_in_dim(shifted, column, column + W, axis=axes[1]) for shifted in rows for column in range(KW)]
