"""Run loss programs: one compiled function for every tree."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from glojax.expressions import OPERATORS
from glojax.losses.operations import OPERATIONS, forward_differentiated
from glojax.losses.program import LossProgram

_ARITIES = np.array([operator.arity for operator in OPERATORS.values()], np.int32)


def _branch(name: str) -> Callable[..., jax.Array]:
    """What one opcode computes from (left or only operand, right operand, constant, labels, probs)."""
    if name in OPERATIONS:
        operation, arity = OPERATIONS[name], OPERATORS[name].arity
        return lambda left, right, constant, labels, probs: operation(*(left, right)[:arity])
    leaves: dict[str, Callable[..., jax.Array]] = {
        "x": lambda left, right, constant, labels, probs: labels,
        "y": lambda left, right, constant, labels, probs: probs,
        "constant": lambda left, right, constant, labels, probs: jnp.full_like(probs, constant),
    }
    return leaves[name]


_BRANCHES = tuple(_branch(name) for name in OPERATORS)


@forward_differentiated
def interpret(program: LossProgram, labels: jax.Array, probs: jax.Array) -> jax.Array:
    """Evaluate a program elementwise.

    The loop runs over the program's own length, not its capacity. Under `jit` or `lax.map` each node runs the one
    branch that it needs; under `vmap` all branches run and one is selected, so that nothing leaks from the others.

    Args:
        program: One program of capacity T.
        labels: x, any shape; of the dtype of `probs`.
        probs: y, the same shape; floating.

    Returns:
        f(x, y), of the shape and dtype of `probs`. Differentiable in `probs` alone.
    """
    capacity = program.opcodes.shape[-1]
    arities = jnp.asarray(_ARITIES)
    opcodes = jnp.asarray(program.opcodes)
    constants = jnp.asarray(program.constants).astype(probs.dtype)
    coefficients = jnp.asarray(program.coefficients).astype(probs.dtype)

    def run_node(place: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        stack, height = state
        opcode = opcodes[place]
        # Out of range, at the bottom of the stack, the indices are clamped; no branch uses what is read there.
        left = lax.dynamic_index_in_dim(stack, height - 1, keepdims=False)
        right = lax.dynamic_index_in_dim(stack, height - 2, keepdims=False)
        value = lax.switch(opcode, _BRANCHES, left, right, constants[place], labels, probs)
        height = height - arities[opcode] + 1
        return lax.dynamic_update_index_in_dim(stack, coefficients[place] * value, height - 1, axis=0), height

    # No tree of n nodes holds more than (n + 1) / 2 values at once.
    stack = jnp.zeros(((capacity + 1) // 2, *probs.shape), probs.dtype)
    stack, _ = lax.fori_loop(0, jnp.asarray(program.length), run_node, (stack, jnp.asarray(0, jnp.int32)))
    result: jax.Array = stack[0]
    return result
