"""Convolutions of a population, for accelerators: P candidates along a leading axis.

Where only the kernels differ between candidates, as in the first layer of networks that train on the same batches, one
dense convolution with P times the features computes them all. Where the images differ too, there are three ways, and
device and shape decide which is fastest. The default rule of `vmap` would turn the kernels' gradients into grouped
forward convolutions with windows as large as the images, which are slow on accelerators.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap, sequential_vmap

from glojax.networks.ops.canonical_convolution import convolution, patch_matrix
from glojax.networks.ops.lowering import ConvolutionLowering


def forward(lowering: ConvolutionLowering) -> Callable[..., Any]:
    """Return the function from images [B, H, W, Cin] and a kernel [KH, KW, Cin, Cout] to features [B, H, W, Cout]."""

    @custom_vmap
    def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return convolution(images, kernel)

    @convolve.def_vmap
    def rule(P: int, in_batched: list[bool], images: jax.Array, kernels: jax.Array) -> tuple[jax.Array, bool]:
        images_batched, kernels_batched = in_batched
        if not kernels_batched:
            features = convolution(images.reshape(-1, *images.shape[2:]), kernels)
            return features.reshape(*images.shape[:-1], -1), True
        if not images_batched:
            return _separated(convolution(images, _merged(kernels)), P), True
        if lowering == "grouped":
            return _separated(convolution(_merged(images), _merged(kernels), P), P), True
        if lowering == "patches":
            Cout = kernels.shape[-1]
            product = _patch_matrices(images, kernels.shape[1:]) @ kernels.reshape(P, -1, Cout)
            return product.reshape(*images.shape[:-1], Cout), True
        return _one_by_one(convolve, in_batched, images, kernels), True

    return convolve


def kernel_gradient(lowering: ConvolutionLowering, kernel_shape: tuple[int, ...]) -> Callable[..., Any]:
    """Return the function from images and the cotangent of the features to the kernel's gradient."""

    @custom_vmap
    def gradient(images: jax.Array, cotangent: jax.Array) -> jax.Array:
        return _transposed(images, cotangent, kernel_shape)

    @gradient.def_vmap
    def rule(P: int, in_batched: list[bool], images: jax.Array, cotangents: jax.Array) -> tuple[jax.Array, bool]:
        images_batched, cotangents_batched = in_batched
        *window, Cout = kernel_shape
        if not images_batched:
            return _separated(_transposed(images, _merged(cotangents), (*window, P * Cout)), P), True
        if lowering == "mapped" or not cotangents_batched:
            return _one_by_one(gradient, in_batched, images, cotangents), True
        if lowering == "grouped":
            # XLA may compute all groups as one and multiply those of other candidates by zero, so only finite numbers
            # may enter. A gradient is NaN where the candidate's cotangent is not finite.
            finite = jnp.isfinite(cotangents).all(axis=(1, 2, 3, 4), keepdims=True)
            merged = _merged(jnp.where(finite, cotangents, 0))
            gradients = _transposed(_merged(images), merged, (*window, P * Cout), num_groups=P)
            return jnp.where(finite, _separated(gradients, P), jnp.nan), True
        # Patch matrices are written again, which saves memory.
        products = _patch_matrices(images, kernel_shape).swapaxes(1, 2) @ cotangents.reshape(P, -1, Cout)
        return products.reshape(P, *kernel_shape), True

    return gradient


def _one_by_one(function: Callable[..., Any], in_batched: list[bool], *arrays: jax.Array) -> Any:
    """Apply the function to one candidate after the other; some arrays have no axis of candidates."""
    return jax.vmap(sequential_vmap(function), [0 if batched else None for batched in in_batched])(*arrays)


def _patch_matrices(images: jax.Array, kernel_shape: tuple[int, ...]) -> jax.Array:
    """Return the patch matrices [P, B * H * W, KH * KW * Cin]."""
    matrix = patch_matrix(images.reshape(-1, *images.shape[2:]), kernel_shape)
    return matrix.reshape(len(images), -1, matrix.shape[-1])


def _transposed(
    images: jax.Array, cotangent: jax.Array, kernel_shape: tuple[int, ...], num_groups: int = 1
) -> jax.Array:
    """Return the kernel's gradient as the transpose of the convolution, for which cuDNN has a form of its own."""
    kernel = jax.ShapeDtypeStruct(kernel_shape, cotangent.dtype)
    transpose = jax.linear_transpose(lambda kernel: convolution(images, kernel, num_groups), kernel)
    gradient: jax.Array = transpose(cotangent)[0]
    return gradient


def _merged(arrays: jax.Array) -> jax.Array:
    """Reshape [P, ..., C] to [..., P * C]."""
    P, *shape, C = arrays.shape
    return jnp.moveaxis(arrays, 0, -2).reshape(*shape, P * C)


def _separated(array: jax.Array, P: int) -> jax.Array:
    """Reshape [..., P * C] to [P, ..., C]."""
    return jnp.moveaxis(array.reshape(*array.shape[:-1], P, -1), -2, 0)
