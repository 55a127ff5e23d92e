"""One tree as one straight-line JAX function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree
from glojax.losses.leaves import Leaves
from glojax.losses.operations import OPERATIONS, forward_differentiated
from glojax.losses.stable import CONSTANT, Instruction, run, stable


def compile_tree(tree: LossTree) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Return `function(labels, probs)`: f(x, y) elementwise, for tracing under `jit`.

    All arrays have the shape and dtype of `probs`, in which alone the function is differentiable. Nothing is clipped.

    Example:
        >>> function = compile_tree(LossTree.parse("x / y^2"))
        >>> float(function(jnp.float32(1.0), jnp.float32(0.5)))
        4.0
    """
    function = compile_leaves(tree)
    return forward_differentiated(lambda labels, probs: function(Leaves.of_probabilities(labels, probs)))


def compile_leaves(tree: LossTree) -> Callable[[Leaves], jax.Array]:
    """Return `function(leaves)`: f(x, y) elementwise, differentiable in forward mode."""
    instructions = stable(tree)

    def function(leaves: Leaves) -> jax.Array:
        def value(instruction: Instruction, *operands: jax.Array) -> jax.Array:
            if operands:
                result = OPERATIONS[instruction.name](*operands)
            elif instruction.name == CONSTANT:
                result = jnp.full_like(leaves.y, instruction.value)
            else:
                result = getattr(leaves, instruction.name)
            return result if instruction.coefficient == 1 else result * instruction.coefficient

        with np.errstate(over="ignore"):  # a coefficient beyond float32 is infinite
            return run(instructions, value)

    return function
