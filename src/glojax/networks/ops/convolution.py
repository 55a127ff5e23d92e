"""Convolutions, and what follows them in a block, with gradients and batching rules of their own."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import sequential_vmap

from glojax.networks.ops import (
    canonical_convolution as canonical,
    population_convolution as population,
)
from glojax.networks.ops.implicit.form import applies
from glojax.networks.ops.lowering import ConvolutionLowering, Precision, current_lowering, current_precision
from glojax.networks.ops.pooling import max_pool

_Arrays = tuple[jax.Array, ...]

#: JAX's names of precisions in which products on a GPU have operands of fewer digits than float32.
_FEWER_DIGITS = (None, "default", "high", "tensorfloat32", "bfloat16", "TF32_TF32_F32", "BF16_BF16_F32")


def convolve(images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve images [B, H, W, Cin] with a kernel [KH, KW, Cin, Cout] of odd sides to [B, H, W, Cout] ("SAME").

    `lowered_convolutions` chooses how it is computed, also for a population under `vmap`. Equal to
    `jax.lax.conv_general_dilated` up to rounding; differentiable once, in reverse mode.
    """
    lowering, precision = current_lowering.get(), current_precision.get()
    if lowering == "implicit":
        if _fits_kernels(images, kernel):
            features: jax.Array = _kernels().convolve(precision, images, kernel)
            return features
        lowering = "grouped"
    return _convolve(lowering, precision, images, kernel)


def convolve_pool_relu(images: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Convolve, take the largest value of each 2x2 window, add the bias [Cout] and apply a ReLU: [B, H/2, W/2, Cout].

    H and W are even; see `convolve`.
    """
    if current_lowering.get() == "implicit" and _fits_kernels(images, kernel):
        features: jax.Array = _kernels().convolve_pool_relu(current_precision.get(), images, kernel, bias)
        return features
    return jax.nn.relu(max_pool(convolve(images, kernel)) + bias)


def _fits_kernels(images: jax.Array, kernel: jax.Array) -> bool:
    """Return whether our kernels compute this convolution: their operands have fewer digits than float32."""
    has_fewer_digits = jax.config.values["jax_default_matmul_precision"] in _FEWER_DIGITS
    return has_fewer_digits and applies(images.shape, kernel.shape) and _kernels() is not None


@cache
def _kernels() -> Any:
    """Return the module of our kernels; None where JAX has no Triton backend of Pallas any more."""
    try:
        from glojax.networks.ops.implicit import convolution  # Pallas takes its time
    except ImportError:
        return None
    return convolution


def rounded(precision: Precision | None, array: jax.Array) -> jax.Array:
    """Return the array with as many digits as operands of products have: products and their sums need not change."""
    return lax.reduce_precision(array, exponent_bits=8, mantissa_bits=7) if precision == "bf16" else array


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _convolve(
    lowering: ConvolutionLowering, precision: Precision | None, images: jax.Array, kernel: jax.Array
) -> jax.Array:
    return _forward(lowering, precision, images, kernel)[0]


def _forward(
    lowering: ConvolutionLowering, precision: Precision | None, images: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, _Arrays]:
    images, kernel = rounded(precision, images), rounded(precision, kernel)
    return _features(lowering, images, kernel)


def _features(lowering: ConvolutionLowering, images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, _Arrays]:
    if lowering == "canonical":
        features, saved = sequential_vmap(canonical.forward)(images, kernel)
        return features, (saved, kernel)
    return population.forward(lowering)(images, kernel), (images, kernel)


def _backward(
    lowering: ConvolutionLowering, precision: Precision | None, saved: _Arrays, cotangent: jax.Array
) -> _Arrays:
    inputs, kernel = saved
    cotangent = rounded(precision, cotangent)
    if lowering == "canonical":
        images_gradient, kernel_gradient = sequential_vmap(canonical.gradients)(inputs, kernel, cotangent)
        return images_gradient, kernel_gradient
    images_gradient, _ = _features(lowering, cotangent, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    return images_gradient, population.kernel_gradient(lowering, kernel.shape)(inputs, cotangent)


_convolve.defvjp(_forward, _backward)
