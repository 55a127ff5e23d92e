"""Convolutions as implicit products, with their gradients, for one candidate and for a population under `vmap`."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from glojax.networks.ops import population_convolution as population
from glojax.networks.ops.implicit.features import forward
from glojax.networks.ops.implicit.form import CUT_OFF, Form
from glojax.networks.ops.implicit.images_gradient import images_gradient as images_gradients
from glojax.networks.ops.implicit.kernel_gradient import kernel_gradient as kernel_gradients
from glojax.networks.ops.lowering import Precision

_Arrays = tuple[jax.Array, ...]


class _Operand(NamedTuple):
    """An array of 16 bits, and the scale [] float32 that it has to be multiplied by."""

    array: jax.Array
    scale: jax.Array


#: Images, kernel, and the places of the largest pixels if there are any.
_Saved = tuple[_Operand, _Operand, list[jax.Array]]


def convolve(precision: Precision | None, images: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve images [B, H, W, Cin] with a kernel [KH, KW, Cin, Cout] to [B, H, W, Cout]."""
    bias = jnp.zeros(kernel.shape[-1], jnp.float32)
    return _block(_form(images, kernel, is_pooled=False), precision, images, kernel, bias)


def convolve_pool_relu(precision: Precision | None, images: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Convolve, pool 2x2 windows, add the bias [Cout] and apply a ReLU: [B, H/2, W/2, Cout]."""
    return _block(_form(images, kernel, is_pooled=True), precision, images, kernel, bias)


def _form(images: jax.Array, kernel: jax.Array, *, is_pooled: bool) -> Form:
    B, H, W, Cin = images.shape
    KH, KW, _, Cout = kernel.shape
    return Form(B, H, W, Cin, KH, KW, Cout, is_pooled)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _block(form: Form, precision: Precision | None, images: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return _forward(form, precision, images, kernel, bias)[0]


def _forward(
    form: Form, precision: Precision | None, images: jax.Array, kernel: jax.Array, bias: jax.Array
) -> tuple[jax.Array, _Saved]:
    images_operand, kernel_operand = _operand(precision, images, form.margins), _operand(precision, kernel)
    scale = images_operand.scale * kernel_operand.scale
    arguments = (images_operand.array, kernel_operand.array, scale, bias)
    features, *places = _of_population(partial(forward, form))(*arguments)
    return features, (images_operand, kernel_operand, places)


def _backward(form: Form, precision: Precision | None, saved: _Saved, cotangent: jax.Array) -> _Arrays:
    images, kernel, places = saved
    operand = _operand(precision, cotangent, form.cell_margins if places else form.margins)
    if form.is_gathered:
        # Few channels are those of a first layer, whose gradient nobody needs: XLA leaves it out.
        whole = _unpooled(form, cotangent, *places)
        turned = jnp.flip(kernel.array, (0, 1)).swapaxes(2, 3).astype(jnp.float32) * kernel.scale
        images_gradient = population.forward("grouped")(whole, turned)
    else:
        scale = operand.scale * kernel.scale
        images_gradient_of = _of_population(partial(images_gradients, form))
        (images_gradient,) = images_gradient_of(operand.array, *places, kernel.array, scale)
    kernel_gradient_of = _of_population(partial(kernel_gradients, form))
    (kernel_gradient,) = kernel_gradient_of(images.array, operand.array, *places)
    kernel_gradient *= operand.scale * images.scale
    if not places:
        return images_gradient, kernel_gradient, jnp.zeros(form.Cout, jnp.float32)
    reaches = places[0] != CUT_OFF
    return images_gradient, kernel_gradient, jnp.where(reaches, cotangent, 0).sum((0, 1, 2))


_block.defvjp(_forward, _backward)


def _operand(precision: Precision | None, array: jax.Array, margins: Any = 0) -> _Operand:
    """Return the padded array as bfloat16, or else as float16, with a power of two as its scale.

    Float16 has as many digits as TF32 in half the bytes, and the scale brings the largest value near to the end of its
    range: what is smaller than 2^-29 of it has fewer digits, and what is smaller than 2^-39 is 0.
    """
    if precision == "bf16":
        return _Operand(jnp.pad(array.astype(jnp.bfloat16), margins), jnp.asarray(1, jnp.float32))
    largest = jnp.abs(array).max()
    _, exponent = jnp.frexp(jnp.where(jnp.isfinite(largest), largest, 1))
    exponent = jnp.clip(exponent, -110, 110)
    one = jnp.asarray(1, jnp.float32)
    scaled = (array * jnp.ldexp(one, 15 - exponent)).astype(jnp.float16)
    return _Operand(jnp.pad(scaled, margins), jnp.ldexp(one, exponent - 15))


def _unpooled(form: Form, cotangent: jax.Array, places: jax.Array | None = None) -> jax.Array:
    """Return the cotangent [B, H, W, Cout] of the features before pooling, bias and ReLU."""
    if places is None:
        return cotangent
    here = jnp.arange(4, dtype=places.dtype).reshape(1, 1, 2, 1, 2, 1)
    spread = jnp.where(places[:, :, None, :, None] == here, cotangent[:, :, None, :, None], 0)
    return spread.reshape(form.B, form.H, form.W, form.Cout)


def _of_population(function: Callable[..., _Arrays]) -> Callable[..., _Arrays]:
    """Return the function of one candidate's arrays whose batching rule is the given function.

    That takes arrays with a leading axis of candidates, or of 1 where these share the array.
    """

    @custom_vmap
    def of_one(*arrays: jax.Array) -> _Arrays:
        return tuple(result[0] for result in function(*(array[None] for array in arrays)))

    @of_one.def_vmap
    def rule(P: int, in_batched: list[bool], *arrays: jax.Array) -> tuple[_Arrays, tuple[bool, ...]]:
        results = function(*(array if own else array[None] for array, own in zip(arrays, in_batched, strict=True)))
        return results, (True,) * len(results)

    return of_one
