"""One tree as one straight-line JAX function."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree
from glojax.losses.leaves import Leaves, RegularLeaves
from glojax.losses.operations import OPERATIONS, Function
from glojax.losses.regular import LEAF_PRODUCT
from glojax.losses.stable import CONSTANT, Instruction, Instructions, plain, run


def compile_tree(tree: LossTree) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Return `function(x, y)`: f(x, y) elementwise as it is written, for any x and y; for tracing under `jit`.

    All arrays have the shape and dtype of y, in which alone the function is differentiable. A loss of logits is more
    exact than the function of their softmax: see `glojax.losses.Loss`.

    Examples:
        >>> function = compile_tree(LossTree.parse("x / y^2"))
        >>> float(function(jnp.float32(1.0), jnp.float32(0.5)))
        4.0
    """
    function = compile_instructions(plain(tree))
    return forward_differentiated(lambda x, y: function(_Variables(x, y)))


class _Variables(NamedTuple):
    x: jax.Array
    y: jax.Array


def compile_instructions(instructions: Instructions) -> Callable[[Leaves | RegularLeaves | _Variables], jax.Array]:
    """Return `function(leaves)`, elementwise, of the leaves that are named; differentiable in forward mode."""

    def function(leaves: Leaves | RegularLeaves | _Variables) -> jax.Array:
        def value(instruction: Instruction, *operands: jax.Array) -> jax.Array:
            if instruction.name == LEAF_PRODUCT:
                result = jnp.multiply(*operands)
            elif operands:
                result = OPERATIONS[instruction.name](*operands)
            elif instruction.name == CONSTANT:
                result = jnp.full_like(leaves.y, instruction.value)
            else:
                result = getattr(leaves, instruction.name)
            return result if instruction.coefficient == 1 else result * instruction.coefficient

        with np.errstate(over="ignore"):  # a coefficient beyond float32 is infinite
            return run(instructions, value)

    return function


def forward_differentiated(function: Function) -> Function:
    """Return a function of x and y that is differentiable in reverse mode, too, by a forward-mode pass.

    The rule of `glojax.losses.operations` is not linear in the tangents, so that JAX cannot transpose it. The function
    is elementwise in y, in which alone the result is differentiable.
    """

    @jax.custom_jvp
    def differentiable(x: jax.Array, y: jax.Array) -> jax.Array:
        return function(x, y)

    @differentiable.defjvp
    def jvp(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[jax.Array, jax.Array]:
        x, y = primals
        value, slope = jax.jvp(lambda y: function(x, y), (y,), (jnp.ones_like(y),))
        return value, slope * tangents[1]

    return differentiable
