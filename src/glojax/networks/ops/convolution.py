"""A convolution with gradients and a batching rule of its own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from glojax.networks.ops import canonical_convolution as canonical, population_convolution as population
from glojax.networks.ops.lowering import ConvolutionLowering, current_lowering

_Arrays = tuple[jax.Array, ...]


def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve at stride 1, zero-padded so that the image keeps its size ("SAME").

    `lowered_convolutions` chooses how it is computed, also for a population under `vmap`.

    Args:
        images: [B, H, W, Cin].
        kernel: [KH, KW, Cin, Cout], KH and KW odd.

    Returns:
        [B, H, W, Cout], equal to `jax.lax.conv_general_dilated` up to rounding. Differentiable once, in reverse mode.
    """
    return _convolve(current_lowering(), images, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(lowering: ConvolutionLowering, images: jax.Array, kernel: jax.Array) -> jax.Array:
    return _forward(lowering, images, kernel)[0]


def _forward(lowering: ConvolutionLowering, images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, _Arrays]:
    if lowering == "canonical":
        features, saved = _one_by_one(canonical.forward)(images, kernel)
        return features, (saved, kernel)
    return _population_forward(lowering)(images, kernel), (images, kernel)


def _backward(lowering: ConvolutionLowering, saved: _Arrays, cotangent: jax.Array) -> _Arrays:
    inputs, kernel = saved
    if lowering == "canonical":
        images_gradient, kernel_gradient = _one_by_one(canonical.gradients)(inputs, kernel, cotangent)
        return images_gradient, kernel_gradient
    images_gradient, _ = _forward(lowering, cotangent, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    return images_gradient, _population_kernel_gradient(lowering, kernel.shape)(inputs, cotangent)


_convolve.defvjp(_forward, _backward)


def _one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, computed for one candidate after the other under `vmap`."""
    sequential = custom_vmap(function)

    def rule(axis_size: int, in_batched: list[bool], *arrays: jax.Array) -> tuple[Any, Any]:
        out = _mapped(function, in_batched, arrays)
        return out, jax.tree.map(lambda _: True, out)

    sequential.def_vmap(rule)
    return sequential


def _population_forward(lowering: ConvolutionLowering) -> Callable[..., Any]:
    """Return the function from images and kernel to features, for accelerators."""

    def plain(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return canonical.convolution(images, kernel, "SAME")

    def rule(axis_size: int, in_batched: list[bool], images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, bool]:
        images_batched, kernel_batched = in_batched
        if not kernel_batched:
            features = plain(images.reshape(-1, *images.shape[2:]), kernel)
            return features.reshape(*images.shape[:-1], -1), True
        if not images_batched:
            return population.shared_images(images, kernel), True
        if lowering == "grouped":
            return population.grouped(images, kernel), True
        if lowering == "patches":
            return population.patches(images, kernel), True
        return _mapped(plain, in_batched, (images, kernel)), True

    population_function = custom_vmap(plain)
    population_function.def_vmap(rule)
    return population_function


def _population_kernel_gradient(lowering: ConvolutionLowering, kernel_shape: tuple[int, ...]) -> Callable[..., Any]:
    """Return the function from images and cotangent to the kernel's gradient, for accelerators."""
    plain = partial(population.plain_kernel_gradient, kernel_shape=kernel_shape)

    def rule(axis_size: int, in_batched: list[bool], images: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, bool]:
        images_batched, cotangent_batched = in_batched
        if not images_batched:
            return population.shared_images_gradient(images, cotangent, kernel_shape), True
        if lowering == "mapped" or not cotangent_batched:
            return _mapped(plain, in_batched, (images, cotangent)), True
        if lowering == "grouped":
            return population.grouped_gradient(images, cotangent, kernel_shape), True
        return population.patches_gradient(images, cotangent, kernel_shape), True

    population_function = custom_vmap(plain)
    population_function.def_vmap(rule)
    return population_function


def _mapped(function: Callable[..., Any], in_batched: list[bool], arrays: _Arrays) -> Any:
    """Apply the function to each candidate; some arrays have no axis of candidates."""
    batched = [array for array, is_batched in zip(arrays, in_batched, strict=True) if is_batched]

    def apply(own_arrays: list[jax.Array]) -> Any:
        own = iter(own_arrays)
        return function(*(next(own) if b else array for array, b in zip(arrays, in_batched, strict=True)))

    return lax.map(apply, batched)
