"""The operations of any network that have faster forms inside a training loop."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from glojax.networks.ops.convolution import convolve
from glojax.networks.ops.general_convolution import any_convolution
from glojax.networks.ops.lowering import ConvolutionLowering
from glojax.networks.ops.rewriting import Rules
from glojax.networks.ops.windows import window_max, window_min, window_sum


def fast_operations(lowering: ConvolutionLowering) -> Rules:
    """Return the rules by which convolutions and pooling are computed; see `rewritten`."""
    if lowering != "canonical":
        return {"conv_general_dilated": _population_convolution}
    return {
        "conv_general_dilated": any_convolution,
        "reduce_window_max": window_max,
        "reduce_window_min": window_min,
        "reduce_window_sum": window_sum,
    }


def _population_convolution(images: jax.Array, kernel: jax.Array, **params: Any) -> jax.Array:
    """Convolve by `convolve`, which has a batching rule of its own, where it computes the same; else as it is."""
    *sides, _, _ = kernel.shape
    if images.ndim == 4 and images.dtype == kernel.dtype == jnp.float32 and all(side % 2 for side in sides):
        plain = {
            "dimension_numbers": lax.conv_dimension_numbers(images.shape, kernel.shape, ("NHWC", "HWIO", "NHWC")),
            "padding": tuple((side // 2, side // 2) for side in sides),
            **dict.fromkeys(("window_strides", "lhs_dilation", "rhs_dilation"), (1, 1)),
            **dict.fromkeys(("feature_group_count", "batch_group_count"), 1),
        }
        # With a default precision, a layer that names none has that one; with none, only what it names itself.
        has_default = jax.config.values["jax_default_matmul_precision"] is not None
        if plain.items() <= params.items() and (has_default or params["precision"] is None):
            return convolve(images, kernel)
    return lax.conv_general_dilated(images, kernel, **params)
