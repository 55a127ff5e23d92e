"""The interpreter of loss programs: one compiled function for every tree."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from glojax.losses.leaves import Leaves
from glojax.losses.operations import OPERATIONS, Function, num_operands
from glojax.losses.program import LossProgram
from glojax.losses.stable import CONSTANT, LEAVES


@jax.custom_jvp
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
    return _run(program, (leaves,))[0]


@interpret.defjvp
def _interpret_jvp(
    primals: tuple[LossProgram, Leaves], tangents: tuple[LossProgram, Leaves]
) -> tuple[jax.Array, jax.Array]:
    # One loop over values and slopes: JAX would trace the loop three times to make one of it.
    value, slope = _run(primals[0], (primals[1], tangents[1]))
    return value, slope


def _run(program: LossProgram, leaves: tuple[Leaves, ...]) -> tuple[jax.Array, ...]:
    """Return the value for leaves, or value and slope for leaves and their slopes."""
    y = leaves[0].y
    capacity = program.opcodes.shape[-1]
    branches = [*(partial(_leaf, name) for name in LEAVES), *(partial(_operation, name) for name in program.operators)]
    num_each = np.array([0] * len(LEAVES) + [num_operands(name) for name in program.operators], np.int32)
    most, arities = int(num_each.max()), jnp.asarray(num_each)
    opcodes = jnp.asarray(program.opcodes)
    constants = jnp.asarray(program.constants).astype(y.dtype)
    coefficients = jnp.asarray(program.coefficients).astype(y.dtype)

    def run_instruction(index: jax.Array, state: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
        stacks, height = state
        opcode = opcodes[index]
        # Out of range, at the bottom of the stack, the indices are clamped; no branch uses the values read there.
        operands = [
            [lax.dynamic_index_in_dim(stack, height - place, keepdims=False) for place in range(1, most + 1)]
            for stack in stacks
        ]
        values = lax.switch(
            opcode, [partial(_branch, branch) for branch in branches], operands, constants[index], leaves
        )
        height = height - arities[opcode] + 1
        return tuple(
            lax.dynamic_update_index_in_dim(stack, coefficients[index] * value, height - 1, axis=0)
            for stack, value in zip(stacks, values, strict=True)
        ), height

    # No tree of n instructions with at most k operands each holds more than its leaves, (n (k - 1) + 1) / k, at once.
    stack = jnp.zeros(((capacity * (most - 1) + 1) // most, *y.shape), y.dtype)
    start = ((stack,) * len(leaves), jnp.asarray(0, jnp.int32))
    stacks, _ = lax.fori_loop(0, jnp.asarray(program.length), run_instruction, start)
    return tuple(stack[0] for stack in stacks)


def _branch(
    function: Function, operands: list[list[jax.Array]], constant: jax.Array, leaves: tuple[Leaves, ...]
) -> tuple[jax.Array, ...]:
    """Apply a branch to values, or to values and slopes."""
    apply = partial(function, constant)
    if len(leaves) == 1:
        return (apply(operands[0], leaves[0]),)
    value, slope = jax.jvp(apply, (operands[0], leaves[0]), (operands[1], leaves[1]))
    return value, slope


# A branch takes the constant, the operands, from left to right, with more behind them than it needs, and the leaves.


def _leaf(name: str, constant: jax.Array, operands: list[jax.Array], leaves: Leaves) -> jax.Array:
    return jnp.full_like(leaves.y, constant) if name == CONSTANT else getattr(leaves, name)


def _operation(name: str, constant: jax.Array, operands: list[jax.Array], leaves: Leaves) -> jax.Array:
    return OPERATIONS[name](*operands[: num_operands(name)])
