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
        """Write a tree as a program.

        Args:
            tree: The loss function.
            capacity: Length T of the arrays, at least `tree.size`.

        Raises:
            ExpressionError: The tree has more nodes than `capacity`.
        """
        if tree.size > capacity:
            raise ExpressionError(
                f"A tree of {tree.size} nodes does not fit a program of {capacity}; raise the capacity."
            )
        nodes = tree.nodes[::-1]
        opcodes = np.zeros(capacity, np.int32)
        constants = np.zeros(capacity, np.float32)
        coefficients = np.zeros(capacity, np.float32)
        operators = tuple(OPERATORS)
        opcodes[: tree.size] = [operators.index(node.operator) for node in nodes]
        constants[: tree.size] = [node.value for node in nodes]
        with np.errstate(over="ignore"):
            coefficients[: tree.size] = tree.coefficients[::-1]
        return cls(opcodes, constants, coefficients, np.asarray(tree.size, np.int32), operators)

    @classmethod
    def from_trees(cls, trees: Sequence[LossTree], capacity: int) -> "LossProgram":
        """Write P trees as one stacked program: all arrays with a leading axis [P].

        Args:
            trees: At least one.
            capacity: Length T of the arrays, at least the size of the largest tree.

        Raises:
            ExpressionError: There is no tree, or one has more nodes than `capacity`.
        """
        if not trees:
            raise ExpressionError("There is no tree to write as a program; give at least one.")
        programs = [cls.from_tree(tree, capacity) for tree in trees]
        stacked: LossProgram = jax.tree.map(lambda *arrays: np.stack(arrays), *programs)
        return stacked
