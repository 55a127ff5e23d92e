"""A convolution with gradients and a batching rule of its own."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

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
    return _convolve(current_lowering.get(), images, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(lowering: ConvolutionLowering, images: jax.Array, kernel: jax.Array) -> jax.Array:
    return _forward(lowering, images, kernel)[0]


def _forward(lowering: ConvolutionLowering, images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, _Arrays]:
    if lowering == "canonical":
        features, saved = sequential_vmap(canonical.forward)(images, kernel)
        return features, (saved, kernel)
    return population.forward(lowering)(images, kernel), (images, kernel)


def _backward(lowering: ConvolutionLowering, saved: _Arrays, cotangent: jax.Array) -> _Arrays:
    inputs, kernel = saved
    if lowering == "canonical":
        images_gradient, kernel_gradient = sequential_vmap(canonical.gradients)(inputs, kernel, cotangent)
        return images_gradient, kernel_gradient
    images_gradient, _ = _forward(lowering, cotangent, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    return images_gradient, population.kernel_gradient(lowering, kernel.shape)(inputs, cotangent)


_convolve.defvjp(_forward, _backward)
