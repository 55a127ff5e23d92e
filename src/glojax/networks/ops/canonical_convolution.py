"""Convolutions that are fast on a CPU, inside a loop.

One compiled program runs the training loop. In a loop, XLA on a CPU is fast with two operations only: convolutions in
the canonical layout (NHWC images, HWIO kernels, stride 1, forward) and matrix products. Every part of a convolution,
gradients included, is therefore written as one of these two. The number of images and the size of the patch matrix that
a product needs decide which.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from glojax.networks.ops import winograd

#: Largest number of images that are convolved without a patch matrix, forward and backward. Groups of 8 to 10 were
#: fastest for the networks of CIFAR-10 and MNIST on cores with 2 MB of cache each.
GROUP_SIZE = 10

#: Largest patch matrix that is written whole, for one product; fastest on cores with 2 MB of cache each.
WHOLE_BYTES = 2**23

#: Largest block of images that a larger patch matrix is written in, unless one image is larger.
BLOCK_BYTES = 2**20


def forward(images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the features, and for the gradients the patch matrix where it was written, else the images."""
    if _by_winograd(images, kernel.shape):
        return winograd.forward(images, kernel), images
    if images.shape[0] <= GROUP_SIZE or _patch_bytes(images, kernel.shape) > WHOLE_BYTES:
        return convolution(images, kernel, "SAME"), images
    Cout = kernel.shape[-1]
    patches = patch_matrix(images, kernel.shape)
    return (patches @ kernel.reshape(-1, Cout)).reshape(*images.shape[:-1], Cout), patches


def gradients(saved: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the gradients of images and kernel, from what `forward` saved."""
    if _by_winograd(saved, kernel.shape):
        return winograd.gradients(saved, kernel, cotangent)
    images_gradient, _ = forward(cotangent, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    return images_gradient, kernel_gradient(saved, cotangent, kernel.shape)


def _by_winograd(saved: jax.Array, kernel_shape: Sequence[int]) -> bool:
    return saved.ndim == 4 and len(saved) <= GROUP_SIZE and winograd.applies(kernel_shape)


def kernel_gradient(saved: jax.Array, cotangent: jax.Array, kernel_shape: Sequence[int]) -> jax.Array:
    """Return the kernel's gradient [KH, KW, Cin, Cout], from what `forward` saved."""
    if saved.ndim == 2:
        gradient = saved.T @ cotangent.reshape(-1, kernel_shape[-1])
    elif len(saved) <= GROUP_SIZE:
        return _group_kernel_gradient(saved, cotangent, kernel_shape)
    else:
        gradient = _blockwise_kernel_gradient(saved, cotangent, kernel_shape)
    return gradient.reshape(*kernel_shape)


def convolution(images: jax.Array, kernel: jax.Array, padding: str | Sequence[tuple[int, int]]) -> jax.Array:
    """Convolve in the canonical layout."""
    return lax.conv_general_dilated(images, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def patch_matrix(images: jax.Array, kernel_shape: Sequence[int]) -> jax.Array:
    """Return the window around every pixel, [B * H * W, KH * KW * Cin]."""
    return jnp.concatenate(_shifted(images, kernel_shape, axes=(1, 2)), axis=-1).reshape(
        -1, kernel_shape[0] * kernel_shape[1] * kernel_shape[2]
    )


def _group_kernel_gradient(images: jax.Array, cotangent: jax.Array, kernel_shape: Sequence[int]) -> jax.Array:
    """Convolve with the cotangent as the kernel, channels and images swapped."""
    margins = [(size // 2, size // 2) for size in kernel_shape[:2]]
    gradient = convolution(images.transpose(3, 1, 2, 0), cotangent.transpose(1, 2, 0, 3), margins)
    return gradient.transpose(1, 2, 0, 3)


def _blockwise_kernel_gradient(images: jax.Array, cotangent: jax.Array, kernel_shape: Sequence[int]) -> jax.Array:
    """Multiply the transposed patch matrix by the cotangent, in blocks of images whose patches stay in the cache."""
    B = images.shape[0]
    KH, KW, Cin, Cout = kernel_shape
    largest = max(1, B * BLOCK_BYTES // _patch_bytes(images, kernel_shape))
    size = max(size for size in range(1, largest + 1) if B % size == 0)

    def add_block(index: jax.Array, total: jax.Array) -> jax.Array:
        block = lax.dynamic_slice_in_dim(images, index * size, size).transpose(3, 0, 1, 2)
        patches = jnp.stack(_shifted(block, kernel_shape, axes=(2, 3))).reshape(KH * KW * Cin, -1)
        return total + patches @ lax.dynamic_slice_in_dim(cotangent, index * size, size).reshape(-1, Cout)

    none = jnp.zeros((KH * KW * Cin, Cout), images.dtype)
    total: jax.Array = lax.fori_loop(0, B // size, add_block, none)
    return total


def _patch_bytes(images: jax.Array, kernel_shape: Sequence[int]) -> int:
    """Return the size of the patch matrix."""
    return images.size * kernel_shape[0] * kernel_shape[1] * images.dtype.itemsize


def _shifted(images: jax.Array, kernel_shape: Sequence[int], axes: tuple[int, int]) -> list[jax.Array]:
    """Return the zero-padded images as each element of the kernel sees them; `axes` are those of H and W."""
    KH, KW = kernel_shape[:2]
    H, W = (images.shape[axis] for axis in axes)
    padding = [(0, 0)] * images.ndim
    padding[axes[0]], padding[axes[1]] = (KH // 2, KH // 2), (KW // 2, KW // 2)
    padded = jnp.pad(images, padding)
    rows = [lax.slice_in_dim(padded, row, row + H, axis=axes[0]) for row in range(KH)]
    return [lax.slice_in_dim(shifted, column, column + W, axis=axes[1]) for shifted in rows for column in range(KW)]
