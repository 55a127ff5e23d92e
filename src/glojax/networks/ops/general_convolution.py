"""Convolutions of any stride, padding, dilation, groups and layout, in forms that are fast on a CPU inside a loop.

XLA brings convolutions into the canonical layout outside of loops only. Here transpositions do so, for the two
gradients, too.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import sequential_vmap

from glojax.networks.ops.rewriting import rewritten
from glojax.networks.ops.windows import MAX_ELEMENTS, WindowForm, window_elements

#: The parameters of `lax.conv_general_dilated`, as pairs.
_Form = tuple[tuple[str, Any], ...]


def any_convolution(images: jax.Array, kernel: jax.Array, **params: Any) -> jax.Array:
    """Convolve as `lax.conv_general_dilated` does; differentiable once, in reverse mode."""
    return _in_canonical_layout(_convolve_canonically, images, kernel, **params)


def _in_canonical_layout(
    convolve_fn: Callable[..., jax.Array],
    images: jax.Array,
    kernel: jax.Array,
    *,
    dimension_numbers: Any,
    feature_group_count: int,
    batch_group_count: int,
    **params: Any,
) -> jax.Array:
    """Transpose images and kernel to batch, space, channels and space, inputs, outputs; and the features back."""
    (batch, channels, *space), (outputs, inputs, *window), (out_batch, out_channels, *out_space) = dimension_numbers
    images, kernel = lax.transpose(images, (batch, *space, channels)), lax.transpose(kernel, (*window, inputs, outputs))
    if batch_group_count > 1:
        # Groups of images become groups of channels.
        grouped = images.reshape(batch_group_count, -1, *images.shape[1:])
        images = jnp.moveaxis(grouped, 0, -2).reshape(*grouped.shape[1:-1], -1)
    last = images.ndim - 1
    canonical = lax.ConvDimensionNumbers(
        (0, last, *range(1, last)), (last, last - 1, *range(last - 1)), (0, last, *range(1, last))
    )
    groups = feature_group_count * batch_group_count
    features = convolve_fn(
        images, kernel, dimension_numbers=canonical, feature_group_count=groups, batch_group_count=1, **params
    )
    return lax.transpose(features, tuple(np.argsort([out_batch, *out_space, out_channels])))


def _convolve_canonically(images: jax.Array, kernel: jax.Array, **params: Any) -> jax.Array:
    """Convolve in canonical layout: as a matrix product, by single elements of the kernel, or else as XLA does."""
    *window, inputs, outputs = kernel.shape
    form = WindowForm(
        (1, *window, 1),
        (1, *params["window_strides"], 1),
        ((0, 0), *params["padding"], (0, 0)),
        (1, *params["lhs_dilation"], 1),
        (1, *params["rhs_dilation"], 1),
    )
    if params["preferred_element_type"] not in (None, images.dtype):
        return _convolve(tuple(params.items()), images, kernel)
    if params["feature_group_count"] == images.shape[-1] > 1 and form.num_elements <= MAX_ELEMENTS:
        repeated = jnp.repeat(images, outputs // images.shape[-1], axis=-1)
        factors = kernel.reshape(-1, outputs)
        return reduce(jnp.add, map(jnp.multiply, window_elements(form, 0, repeated), factors))
    if params["feature_group_count"] == form.num_elements == 1:
        (pixels,) = window_elements(form, 0, images)
        matrix = kernel.reshape(inputs, outputs)
        products = jnp.matmul(pixels.reshape(-1, inputs), matrix, precision=params["precision"])
        return products.reshape(*pixels.shape[:-1], outputs)
    return _convolve(tuple(params.items()), images, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolve(form: _Form, images: jax.Array, kernel: jax.Array) -> jax.Array:
    return _forward(form, images, kernel)[0]


def _forward(form: _Form, images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    features = sequential_vmap(partial(lax.conv_general_dilated, **dict(form)))(images, kernel)
    return features, (images, kernel)


def _backward(form: _Form, saved: tuple[jax.Array, jax.Array], cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    pair: tuple[jax.Array, jax.Array] = sequential_vmap(partial(_gradients, form))(*saved, cotangent)
    return pair


def _gradients(form: _Form, images: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the gradients of images and kernel as JAX has them, in canonical layout."""
    rules = {"conv_general_dilated": partial(_in_canonical_layout, lax.conv_general_dilated)}

    def gradients(images: jax.Array, kernel: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
        of_images = jax.linear_transpose(lambda images: lax.conv_general_dilated(images, kernel, **dict(form)), images)
        of_kernel = jax.linear_transpose(lambda kernel: lax.conv_general_dilated(images, kernel, **dict(form)), kernel)
        return *of_images(cotangent), *of_kernel(cotangent)

    pair: tuple[jax.Array, jax.Array] = rewritten(gradients, rules)(images, kernel, cotangent)
    return pair


_convolve.defvjp(_forward, _backward)
