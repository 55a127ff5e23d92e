"""Calls of kernels, one program after the other for each candidate."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton


def call(
    kernel: Callable[..., None],
    grid: tuple[int, ...],
    inputs: list[jax.Array],
    shapes: list[jax.ShapeDtypeStruct],
    num_stages: int = 1,
) -> list[jax.Array]:
    """Run a kernel for each candidate, whose number is the last of the grid; on a CPU it is interpreted."""
    P = shapes[0].shape[0]

    def block(array: Any) -> pl.BlockSpec:
        rest = (0,) * (array.ndim - 1)
        is_shared, candidate = array.shape[0] == 1, len(grid)
        return pl.BlockSpec((None, *array.shape[1:]), lambda *ids: (0 if is_shared else ids[candidate], *rest))

    def block_of_parts(array: Any) -> pl.BlockSpec:
        if len(grid) == 1:
            return block(array)
        rest = (0,) * (array.ndim - 3)
        return pl.BlockSpec((None, None, None, *array.shape[3:]), lambda *ids: (ids[2], ids[0], ids[1], *rest))

    def run(interpret: bool, *inputs: jax.Array) -> list[jax.Array]:
        results: list[jax.Array] = pl.pallas_call(
            kernel,
            grid=(*grid, P),
            in_specs=[block(array) for array in inputs],
            out_specs=[block_of_parts(shape) for shape in shapes],
            out_shape=shapes,
            compiler_params=triton.CompilerParams(num_warps=4, num_stages=num_stages),
            interpret=interpret,
        )(*inputs)
        return results

    results: list[jax.Array] = lax.platform_dependent(*inputs, cpu=partial(run, True), default=partial(run, False))
    return results


def flat(array: jax.Array) -> jax.Array:
    """Return arrays of candidates with one axis for each."""
    return array.reshape(len(array), -1)


def store(ref: Any, rows: jax.Array, values: jax.Array) -> None:
    """Store values [M, C] in these rows; where one occurs several times, its values are the same."""
    triton.store(ref.at[rows[:, None], jnp.arange(values.shape[1])[None, :]], values)
