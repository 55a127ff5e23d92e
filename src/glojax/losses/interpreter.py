"""The interpreter of loss programs: one compiled function for every tree."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

from glojax.losses.leaves import Leaves
from glojax.losses.operations import OPERATIONS, Function, num_operands
from glojax.losses.program import LossProgram
from glojax.losses.stable import CONSTANT, LEAVES


@jax.custom_jvp
def interpret(program: LossProgram, leaves: Leaves) -> jax.Array:
    """Evaluate a program elementwise.

    The loop runs over the program's own length, not its capacity. Under `jit` or `lax.map` each instruction runs the
    one branch that it needs, on a stack; under `vmap` all branches run and one is selected, so that nothing leaks from
    the others, and every value is kept, since the stacks of programs are of different heights.

    Args:
        program: One program of capacity T.
        leaves: Labels and probabilities of any shape; floating.

    Returns:
        f(x, y), of the shape and dtype of the leaves. Differentiable in them in forward mode.
    """
    values: jax.Array = _run(program, (leaves,))[0]
    return values


@interpret.defjvp
def _interpret_jvp(
    primals: tuple[LossProgram, Leaves], tangents: tuple[LossProgram, Leaves]
) -> tuple[jax.Array, jax.Array]:
    # One loop over values and slopes: JAX would trace the loop three times to make one of it.
    value, slope = _run(primals[0], (primals[1], tangents[1]))
    return value, slope


@custom_vmap
def _run(program: LossProgram, leaves: tuple[Leaves, ...]) -> tuple[jax.Array, ...]:
    """Return the value for leaves, or value and slope for leaves and their slopes."""
    y = leaves[0].y
    capacity = program.opcodes.shape[-1]
    branches = _branches(program)
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


@_run.def_vmap
def _run_population(
    P: int, in_batched: Any, program: LossProgram, leaves: tuple[Leaves, ...]
) -> tuple[tuple[jax.Array, ...], tuple[bool, ...]]:
    """Do the same for P programs, in step."""

    def of_each(array: Any, is_batched: bool) -> jax.Array:
        return jnp.asarray(array) if is_batched else jnp.broadcast_to(array, (P, *jnp.shape(array)))

    program, leaves = jax.tree.map(of_each, (program, leaves), tuple(in_batched))
    y = leaves[0].y
    branches = [partial(_branch, branch) for branch in _branches(program)]
    apply = jax.vmap(partial(_selected, branches))
    constants, coefficients = program.constants.astype(y.dtype), program.coefficients.astype(y.dtype)
    candidates = jnp.arange(P)

    def run_instruction(index: jax.Array, kept: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        # The left operand is the value before.
        others = program.operands[:, index, 1:].T
        operands = [
            [values[jnp.maximum(index - 1, 0)], *(values[place, candidates] for place in others)] for values in kept
        ]
        new = apply(program.opcodes[:, index], operands, constants[:, index], leaves)
        factors = coefficients[:, index].reshape(P, *[1] * (y.ndim - 1))
        return tuple(
            lax.dynamic_update_index_in_dim(values, factors * value, index, axis=0)
            for values, value in zip(kept, new, strict=True)
        )

    def run_two(pair: jax.Array, kept: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        return run_instruction(2 * pair + 1, run_instruction(2 * pair, kept))

    # An accelerator waits for the host once in each round of the loop: two instructions a round.
    capacity = program.opcodes.shape[-1]
    kept = (jnp.zeros((capacity + capacity % 2, *y.shape), y.dtype),) * len(leaves)
    kept = lax.fori_loop(0, (program.length.max() + 1) // 2, run_two, kept)
    return tuple(values[program.length - 1, candidates] for values in kept), (True,) * len(leaves)


def _selected(branches: Sequence[Callable[..., Any]], opcode: Any, operands: Any, constant: Any, leaves: Any) -> Any:
    return lax.switch(opcode, branches, operands, constant, leaves)


def _branches(program: LossProgram) -> list[Function]:
    """Return the functions of opcodes."""
    return [*(partial(_leaf, name) for name in LEAVES), *(partial(_operation, name) for name in program.operators)]


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
