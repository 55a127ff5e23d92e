"""The gradient of the kernel of a convolution."""

from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

from glojax.networks.ops.implicit.call import call, flat
from glojax.networks.ops.implicit.form import CUT_OFF, ELEMENTS, Form
from glojax.networks.ops.implicit.pixels import Cells, first_pixels, gathered, pixels_of, pooled_cotangents


def _kernel_gradient_kernel(images_ref: Any, cotangent_ref: Any, *refs: Any, form: Form) -> None:
    *place_refs, gradient_ref = refs
    part, row = pl.program_id(0), pl.program_id(1)
    kh, group = row // form.num_groups, row % form.num_groups
    if form.is_gathered:
        widths = [ELEMENTS] * pl.cdiv(form.num_elements, ELEMENTS)
    else:
        widths = [width * form.Cin for width in form.widths[: len(form.widths) // form.num_groups]]
    starts = [sum(widths[:index]) for index in range(len(widths))]
    num_blocks = pl.cdiv(form.num_blocks, form.num_parts)

    def add_block(block: jax.Array, sums: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        cells = Cells.of(form, part * num_blocks + block)
        first, new = first_pixels(form, cells), list(sums)
        if form.is_pooled:
            pooled, places = pooled_cotangents(form, cells, cotangent_ref, place_refs[0], 0, 0)
            places = jnp.where(cells.exists[:, None], places, CUT_OFF)
        for p, q in product((0, 1), (0, 1)):
            if form.is_pooled:
                cotangent = jnp.where(places == 2 * p + q, pooled, jnp.zeros_like(pooled))
            else:
                cotangent = pixels_of(form, first, cotangent_ref, form.Cout, p + form.KH // 2, q + form.KW // 2)
                cotangent = jnp.where(cells.exists[:, None], cotangent, jnp.zeros_like(cotangent))
            for index, (start, width) in enumerate(zip(starts, widths, strict=True)):
                if form.is_gathered:
                    pixels = gathered(form, first, images_ref, p, q, start)
                else:
                    right = q + group * form.widths[0] + start // form.Cin
                    pixels = pixels_of(form, first, images_ref, form.Cin, p + kh, right, width // form.Cin)
                new[index] += triton.dot(cotangent, pixels, trans_a=True)
        return tuple(new)

    zeros = tuple(jnp.zeros((form.Cout, width), jnp.float32) for width in widths)
    sums = lax.fori_loop(0, num_blocks, add_block, zeros)
    for gradient, start, width in zip(sums, starts, widths, strict=True):
        gradient_ref[:, pl.ds(start, width)] = gradient


def kernel_gradient(form: Form, *arrays: jax.Array) -> tuple[jax.Array]:
    """Return the gradient [P, KH, KW, Cin, Cout] of the kernels, unscaled.

    Args:
        form: That of images and kernels.
        *arrays: Images and cotangents of the features, padded and of 16 bits; places if they are pooled.
    """
    P = max(map(len, arrays))
    if form.is_gathered:
        rows, columns = 1, pl.cdiv(form.num_elements, ELEMENTS) * ELEMENTS
    else:
        rows, columns = form.KH * form.num_groups, sum(form.widths) // form.num_groups * form.Cin
    shapes = [jax.ShapeDtypeStruct((P, form.num_parts, rows, form.Cout, columns), jnp.float32)]
    kernel = partial(_kernel_gradient_kernel, form=form)
    (parts,) = call(kernel, (form.num_parts, rows), [*map(flat, arrays)], shapes)
    gradient = parts.sum(1).swapaxes(2, 3)
    if form.is_gathered:
        gradient = gradient[:, 0, : form.num_elements]
    else:
        gradient = gradient.reshape(P, form.KH, sum(form.widths), form.Cin, form.Cout)[:, :, : form.KW]
    return (gradient.reshape(P, form.KH, form.KW, form.Cin, form.Cout),)
