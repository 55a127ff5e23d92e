"""The interpreter of loss programs: one compiled function for every tree."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from glojax.losses.leaves import Leaves
from glojax.losses.operations import OPERATIONS, num_operands
from glojax.losses.program import LossProgram
from glojax.losses.stable import CONSTANT, LEAVES


def interpret(program: LossProgram, leaves: Leaves) -> jax.Array:
    """Evaluate a program elementwise.

    The loop runs over the program's own length, not its capacity. Under `jit` or `lax.map` each instruction runs the
    one branch that it needs; under `vmap` all branches run and one is selected, so that nothing leaks from the others.

    Args:
        program: One program of capacity T.
        leaves: Labels and probabilities of any shape; floating.

    Returns:
        f(x, y), of the shape and dtype of the leaves. Differentiable in them in forward mode.
    """
    capacity = program.opcodes.shape[-1]
    branches = [*(partial(_leaf, name) for name in LEAVES), *(partial(_operation, name) for name in program.operators)]
    num_each = np.array([0] * len(LEAVES) + [num_operands(name) for name in program.operators], np.int32)
    most, arities = int(num_each.max()), jnp.asarray(num_each)
    opcodes = jnp.asarray(program.opcodes)
    constants = jnp.asarray(program.constants).astype(leaves.y.dtype)
    coefficients = jnp.asarray(program.coefficients).astype(leaves.y.dtype)

    def run_instruction(index: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        stack, height = state
        opcode = opcodes[index]
        # Out of range, at the bottom of the stack, the indices are clamped; no branch uses the values read there.
        operands = [lax.dynamic_index_in_dim(stack, height - place, keepdims=False) for place in range(1, most + 1)]
        value = lax.switch(opcode, branches, operands, constants[index], leaves)
        height = height - arities[opcode] + 1
        return lax.dynamic_update_index_in_dim(stack, coefficients[index] * value, height - 1, axis=0), height

    # No tree of n instructions with at most k operands each holds more than its leaves, (n (k - 1) + 1) / k, at once.
    stack = jnp.zeros(((capacity * (most - 1) + 1) // most, *leaves.y.shape), leaves.y.dtype)
    stack, _ = lax.fori_loop(0, jnp.asarray(program.length), run_instruction, (stack, jnp.asarray(0, jnp.int32)))
    result: jax.Array = stack[0]
    return result


# A branch takes the operands, from left to right, with more behind them than it needs, the constant and the leaves.


def _leaf(name: str, operands: list[jax.Array], constant: jax.Array, leaves: Leaves) -> jax.Array:
    return jnp.full_like(leaves.y, constant) if name == CONSTANT else getattr(leaves, name)


def _operation(name: str, operands: list[jax.Array], constant: jax.Array, leaves: Leaves) -> jax.Array:
    return OPERATIONS[name](*operands[: num_operands(name)])
