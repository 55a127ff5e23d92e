"""The rate of a large float32 matrix product by XLA, the reference for shares of a device's speed."""

import jax
import jax.numpy as jnp

from benchmarks.contestant import Contestant, Work

#: Side of the matrices, which a GPU needs larger to be busy.
SIZES = {"cpu": 2048}
SIZE_ELSEWHERE = 8192
PRODUCTS = 5


def make() -> Contestant:
    """Return a contestant that multiplies matrices on one device; a unit is 1e9 floating-point operations."""
    size = SIZES.get(jax.default_backend(), SIZE_ELSEWHERE)
    matrix = jnp.ones((size, size), jnp.float32)
    product = jax.jit(lambda matrix: matrix @ matrix)

    def turn() -> Work:
        for _ in range(PRODUCTS):
            product(matrix).block_until_ready()
        return Work(PRODUCTS * 2 * size**3 / 1e9)

    return Contestant(turn)
