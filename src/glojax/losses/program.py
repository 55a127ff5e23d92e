"""Trees as data: padded arrays that one compiled interpreter runs.

A program lists the nodes of a tree in reverse prefix order. The interpreter runs them from first to last on a stack, so
that every operator finds its operands on top, the left one uppermost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import numpy as np

from glojax.errors import ExpressionError
from glojax.expressions import OPERATORS, LossTree


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LossProgram:
    """One loss function as arrays of length T, its capacity; or P of them, stacked along a leading axis.

    Attributes:
        opcodes: [..., T] int32; indices into `operators`; 0 in the padding.
        constants: [..., T] float32; values of the constant leaves; 0 elsewhere.
        coefficients: [..., T] float32; factors on the nodes' outputs. Those beyond float32 are infinite.
        length: [...] int32; number of nodes.
        operators: The names in `glojax.expressions.OPERATORS` when the program was written. They are no array, so that
            JAX compiles the interpreter again after `glojax.losses.register_operator`.

    Example:
        >>> program = LossProgram.from_tree(LossTree.parse("log(y) - x / y"), capacity=8)
        >>> program.opcodes.shape, int(program.length)
        ((8,), 6)
    """

    opcodes: np.ndarray | jax.Array
    constants: np.ndarray | jax.Array
    coefficients: np.ndarray | jax.Array
    length: np.ndarray | jax.Array
    operators: tuple[str, ...] = field(default_factory=lambda: tuple(OPERATORS), metadata={"static": True})

    @classmethod
    def from_tree(cls, tree: LossTree, capacity: int) -> "LossProgram":
        """Write a tree of at most `capacity` nodes as a program."""
        if tree.size > capacity:
            raise ExpressionError(
                f"A tree of {tree.size} nodes does not fit a program of {capacity}; raise the capacity."
            )
        nodes, operators = tree.nodes[::-1], tuple(OPERATORS)
        padding = [0] * (capacity - tree.size)
        opcodes = np.array([operators.index(node.operator) for node in nodes] + padding, np.int32)
        constants = np.array([node.value for node in nodes] + padding, np.float32)
        with np.errstate(over="ignore"):
            coefficients = np.array([node.coefficient for node in nodes] + padding, np.float32)
        return cls(opcodes, constants, coefficients, np.asarray(tree.size, np.int32), operators)

    @classmethod
    def from_trees(cls, trees: Sequence[LossTree], capacity: int) -> "LossProgram":
        """Write P trees of at most `capacity` nodes as one stacked program: all arrays with a leading axis [P]."""
        if not trees:
            raise ExpressionError("There is no tree to write as a program; give at least one.")
        programs = [cls.from_tree(tree, capacity) for tree in trees]
        stacked: LossProgram = jax.tree.map(lambda *arrays: np.stack(arrays), *programs)
        return stacked
