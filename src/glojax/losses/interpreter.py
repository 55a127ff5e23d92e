"""The interpreter of loss programs: one compiled function for every tree."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from glojax.expressions import OPERATORS
from glojax.losses.operations import OPERATIONS, Function, forward_differentiated
from glojax.losses.program import LossProgram

# The branches take the left or only operand, the right operand, the constant, the labels and the probabilities.
_LEAVES: dict[str, Function] = {
    "x": lambda left, right, constant, labels, probs: labels,
    "y": lambda left, right, constant, labels, probs: probs,
    "constant": lambda left, right, constant, labels, probs: jnp.full_like(probs, constant),
}


def _branch(name: str) -> Function:
    if name in _LEAVES:
        return _LEAVES[name]
    operation, arity = OPERATIONS[name], OPERATORS[name].arity
    return lambda left, right, constant, labels, probs: operation(*(left, right)[:arity])


@forward_differentiated
def interpret(program: LossProgram, labels: jax.Array, probs: jax.Array) -> jax.Array:
    """Evaluate a program elementwise.

    The loop runs over the program's own length, not its capacity. Under `jit` or `lax.map` each node runs the one
    branch that it needs; under `vmap` all branches run and one is selected, so that nothing leaks from the others.

    Args:
        program: One program of capacity T.
        labels: x, of the shape and dtype of `probs`.
        probs: y, of any shape; floating.

    Returns:
        f(x, y), of the shape and dtype of `probs`. Differentiable in `probs` alone.
    """
    capacity = program.opcodes.shape[-1]
    branches = [_branch(name) for name in program.operators]
    arities = jnp.asarray(np.array([OPERATORS[name].arity for name in program.operators], np.int32))
    opcodes = jnp.asarray(program.opcodes)
    constants = jnp.asarray(program.constants).astype(probs.dtype)
    coefficients = jnp.asarray(program.coefficients).astype(probs.dtype)

    def run_node(index: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        stack, height = state
        opcode = opcodes[index]
        # Out of range, at the bottom of the stack, the indices are clamped; no branch uses the values read there.
        left = lax.dynamic_index_in_dim(stack, height - 1, keepdims=False)
        right = lax.dynamic_index_in_dim(stack, height - 2, keepdims=False)
        value = lax.switch(opcode, branches, left, right, constants[index], labels, probs)
        height = height - arities[opcode] + 1
        return lax.dynamic_update_index_in_dim(stack, coefficients[index] * value, height - 1, axis=0), height

    # No tree of n nodes holds more than (n + 1) / 2 values at once.
    stack = jnp.zeros(((capacity + 1) // 2, *probs.shape), probs.dtype)
    stack, _ = lax.fori_loop(0, jnp.asarray(program.length), run_node, (stack, jnp.asarray(0, jnp.int32)))
    result: jax.Array = stack[0]
    return result
