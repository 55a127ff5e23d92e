"""Convolutions of a population, for accelerators: P candidates along a leading axis.

Where only the kernels differ between candidates, as in the first layer of networks that train on the same batches, all
are one dense convolution with P times the features. Where the images differ too, there is a choice of three ways, and
which is fastest depends on device and shape. Left to itself, `vmap` would turn the kernels' gradients into grouped
forward convolutions with windows as large as the images, which accelerators run badly.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from glojax.networks.canonical_convolution import convolution, patch_matrix


def shared_images(images: jax.Array, kernels: jax.Array) -> jax.Array:
    """Images [B, H, W, Cin] that all kernels [P, KH, KW, Cin, Cout] have in common, to [P, B, H, W, Cout]."""
    return _apart(convolution(images, _together(kernels), "SAME"), len(kernels))


def shared_images_gradient(images: jax.Array, cotangents: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """The kernels' gradients [P, KH, KW, Cin, Cout], of cotangents [P, B, H, W, Cout]."""
    P = len(cotangents)
    wide = (*kernel_shape[:-1], P * kernel_shape[-1])
    return _apart(plain_kernel_gradient(images, _together(cotangents), wide), P)


def plain_kernel_gradient(images: jax.Array, cotangent: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """As JAX has it, for one candidate."""
    return _transposed(lambda kernel: convolution(images, kernel, "SAME"), kernel_shape, cotangent)


def grouped(images: jax.Array, kernels: jax.Array) -> jax.Array:
    """Images [P, B, H, W, Cin] and kernels [P, KH, KW, Cin, Cout], to [P, B, H, W, Cout], in one convolution."""
    P = len(kernels)
    return _apart(_grouped(_together(images), _together(kernels), P), P)


def grouped_gradient(images: jax.Array, cotangents: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """The kernels' gradients: the transpose of one grouped convolution, which has a form of its own in the library.

    A gradient is NaN where the candidate's cotangent is not finite. XLA may compute all groups as one, where those of
    others are multiplied by zero, so that nothing else than finite numbers may be let in.
    """
    P = len(images)
    wide = (*kernel_shape[:-1], P * kernel_shape[-1])
    together = _together(images)
    finite = jnp.isfinite(cotangents).all(axis=(1, 2, 3, 4), keepdims=True)
    cotangent = _together(jnp.where(finite, cotangents, 0))
    gradients = _apart(_transposed(lambda kernel: _grouped(together, kernel, P), wide, cotangent), P)
    return jnp.where(finite, gradients, jnp.nan)


def patches(images: jax.Array, kernels: jax.Array) -> jax.Array:
    """The same as `grouped`, as batched products of patch matrices and kernels."""
    P, Cout = len(kernels), kernels.shape[-1]
    product = _patch_matrices(images, kernels.shape[1:]) @ kernels.reshape(P, -1, Cout)
    return product.reshape(*images.shape[:-1], Cout)


def patches_gradient(images: jax.Array, cotangents: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """The same as `grouped_gradient`; patch matrices are written again, which takes less memory than keeping them."""
    P, Cout = len(images), kernel_shape[-1]
    matrices = _patch_matrices(images, kernel_shape)
    return (matrices.swapaxes(1, 2) @ cotangents.reshape(P, -1, Cout)).reshape(P, *kernel_shape)


def _patch_matrices(images: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """[P, B * H * W, KH * KW * Cin]."""
    P, B = images.shape[:2]
    matrix = patch_matrix(images.reshape(P * B, *images.shape[2:]), kernel_shape)
    return matrix.reshape(P, -1, matrix.shape[-1])


def _grouped(images: jax.Array, kernels: jax.Array, P: int) -> jax.Array:
    return lax.conv_general_dilated(
        images, kernels, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=P
    )


def _transposed(function: Callable[[jax.Array], jax.Array], shape: tuple[int, ...], cotangent: jax.Array) -> jax.Array:
    """The linear function's transpose, for an argument of this shape."""
    gradient: jax.Array
    (gradient,) = jax.linear_transpose(function, jax.ShapeDtypeStruct(shape, cotangent.dtype))(cotangent)
    return gradient


def _together(arrays: jax.Array) -> jax.Array:
    """[P, ..., C] to [..., P * C]."""
    P, *shape, C = arrays.shape
    return jnp.moveaxis(arrays, 0, -2).reshape(*shape, P * C)


def _apart(array: jax.Array, P: int) -> jax.Array:
    """[..., P * C] to [P, ..., C]."""
    return jnp.moveaxis(array.reshape(*array.shape[:-1], P, -1), -2, 0)
