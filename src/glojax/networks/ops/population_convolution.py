"""Convolutions of a population, for accelerators: P candidates along a leading axis.

Where only the kernels differ between candidates, as in the first layer of networks that train on the same batches, one
dense convolution with P times the features computes them all. Where the images differ too, there are three ways, and
device and shape decide which is fastest. The default rule of `vmap` would turn the kernels' gradients into grouped
forward convolutions with windows as large as the images, which are slow on accelerators.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from glojax.networks.ops.canonical_convolution import convolution, patch_matrix


def shared_images(images: jax.Array, kernels: jax.Array) -> jax.Array:
    """Convolve images [B, H, W, Cin] with kernels [P, KH, KW, Cin, Cout] to [P, B, H, W, Cout]."""
    return _separated(convolution(images, _merged(kernels), "SAME"), len(kernels))


def shared_images_gradient(images: jax.Array, cotangents: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """Return the kernels' gradients [P, KH, KW, Cin, Cout] for cotangents [P, B, H, W, Cout]."""
    P = len(cotangents)
    wide = (*kernel_shape[:-1], P * kernel_shape[-1])
    return _separated(plain_kernel_gradient(images, _merged(cotangents), wide), P)


def plain_kernel_gradient(images: jax.Array, cotangent: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """Return the kernel's gradient for one candidate, as JAX computes it."""
    return _transposed(lambda kernel: convolution(images, kernel, "SAME"), kernel_shape, cotangent)


def grouped(images: jax.Array, kernels: jax.Array) -> jax.Array:
    """Convolve images [P, B, H, W, Cin] with kernels [P, KH, KW, Cin, Cout] to [P, B, H, W, Cout] at once."""
    P = len(kernels)
    return _separated(_grouped(_merged(images), _merged(kernels), P), P)


def grouped_gradient(images: jax.Array, cotangents: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """Return the kernels' gradients: the transpose of one grouped convolution, for which cuDNN has a form of its own.

    A gradient is NaN where the candidate's cotangent is not finite. XLA may compute all groups as one and multiply
    those of other candidates by zero, so only finite numbers may enter.
    """
    P = len(images)
    wide = (*kernel_shape[:-1], P * kernel_shape[-1])
    merged = _merged(images)
    finite = jnp.isfinite(cotangents).all(axis=(1, 2, 3, 4), keepdims=True)
    cotangent = _merged(jnp.where(finite, cotangents, 0))
    gradients = _separated(_transposed(lambda kernel: _grouped(merged, kernel, P), wide, cotangent), P)
    return jnp.where(finite, gradients, jnp.nan)


def patches(images: jax.Array, kernels: jax.Array) -> jax.Array:
    """Compute the same as `grouped` by batched products of patch matrices and kernels."""
    P, Cout = len(kernels), kernels.shape[-1]
    product = _patch_matrices(images, kernels.shape[1:]) @ kernels.reshape(P, -1, Cout)
    return product.reshape(*images.shape[:-1], Cout)


def patches_gradient(images: jax.Array, cotangents: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """Compute the same as `grouped_gradient`; patch matrices are written again, which saves memory."""
    P, Cout = len(images), kernel_shape[-1]
    matrices = _patch_matrices(images, kernel_shape)
    return (matrices.swapaxes(1, 2) @ cotangents.reshape(P, -1, Cout)).reshape(P, *kernel_shape)


def _patch_matrices(images: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """Return the patch matrices [P, B * H * W, KH * KW * Cin]."""
    P, B = images.shape[:2]
    matrix = patch_matrix(images.reshape(P * B, *images.shape[2:]), kernel_shape)
    return matrix.reshape(P, -1, matrix.shape[-1])


def _grouped(images: jax.Array, kernels: jax.Array, P: int) -> jax.Array:
    return lax.conv_general_dilated(
        images, kernels, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=P
    )


def _transposed(function: Callable[[jax.Array], jax.Array], shape: tuple[int, ...], cotangent: jax.Array) -> jax.Array:
    """Apply the transpose of the linear function of an argument of this shape."""
    gradient: jax.Array
    (gradient,) = jax.linear_transpose(function, jax.ShapeDtypeStruct(shape, cotangent.dtype))(cotangent)
    return gradient


def _merged(arrays: jax.Array) -> jax.Array:
    """Reshape [P, ..., C] to [..., P * C]."""
    P, *shape, C = arrays.shape
    return jnp.moveaxis(arrays, 0, -2).reshape(*shape, P * C)


def _separated(array: jax.Array, P: int) -> jax.Array:
    """Reshape [..., P * C] to [P, ..., C]."""
    return jnp.moveaxis(array.reshape(*array.shape[:-1], P, -1), -2, 0)
