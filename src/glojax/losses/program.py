"""Trees as data: padded arrays that one compiled interpreter runs.

A program lists the instructions of a tree's stable form in reverse prefix order. The interpreter runs them from first
to last on a stack, so that every operator finds its operands on top, the left one uppermost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np

from glojax.errors import ExpressionError
from glojax.expressions import PAPER_OPERATORS, Domain, LossTree
from glojax.losses.operations import OPERATIONS, STABLE_ARITIES, num_operands
from glojax.losses.stable import LEAVES, stable


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LossProgram:
    """One loss function as arrays of length T, its capacity; or P of them, stacked along a leading axis.

    Attributes:
        opcodes: [..., T] int32; indices into `LEAVES` followed by `operators`; 0 in the padding.
        constants: [..., T] float32; values of constants; 0 elsewhere.
        coefficients: [..., T] float32; factors on the instructions' values. Those beyond float32 are infinite.
        operands: [..., T, K] int32; numbers of the instructions whose values an instruction takes, from left to right,
            where K is the most that any of the operators takes; 0 where there are fewer.
        length: [...] int32; number of instructions.
        operators: The names in `OPERATIONS`, in its order, of what the interpreter of these programs knows: the paper's
            operators, and others that a program needs. They are no array: JAX compiles the interpreter for them.
        domain: Where x and y lie: "probability" for a softmax or sigmoid, "real" for regression.

    Examples:
        >>> program = LossProgram.from_tree(LossTree.parse("log(y) - x / y"), capacity=8)
        >>> program.opcodes.shape, int(program.length)
        ((8,), 5)
    """

    opcodes: np.ndarray | jax.Array
    constants: np.ndarray | jax.Array
    coefficients: np.ndarray | jax.Array
    operands: np.ndarray | jax.Array
    length: np.ndarray | jax.Array
    operators: tuple[str, ...] = field(metadata={"static": True})
    domain: Domain = field(default="probability", metadata={"static": True})

    @classmethod
    def from_tree(
        cls, tree: LossTree, capacity: int, operators: Iterable[str] = (), *, domain: Domain = "probability"
    ) -> "LossProgram":
        """Write a tree as a program of at most `capacity` instructions that knows more operators than it needs."""
        return cls._written(tree, capacity, known_operators([tree], operators, domain), domain)

    @classmethod
    def from_trees(
        cls, trees: Sequence[LossTree], capacity: int, operators: Iterable[str] = (), *, domain: Domain = "probability"
    ) -> "LossProgram":
        """Write P trees as one stacked program: all arrays with a leading axis [P]."""
        if not trees:
            raise ExpressionError("There is no tree to write as a program; give at least one.")
        operators = known_operators(trees, operators, domain)
        programs = [cls._written(tree, capacity, operators, domain) for tree in trees]
        stacked: LossProgram = jax.tree.map(lambda *arrays: np.stack(arrays), *programs)
        return stacked

    @classmethod
    def _written(cls, tree: LossTree, capacity: int, operators: tuple[str, ...], domain: Domain) -> "LossProgram":
        instructions = stable(tree, domain)
        if len(instructions) > capacity:
            raise ExpressionError(
                f"A tree of {len(instructions)} instructions does not fit a program of {capacity}; raise the capacity."
            )
        names = [*LEAVES, *operators]
        padding = [0] * (capacity - len(instructions))
        reverse = instructions[::-1]
        opcodes = np.array([names.index(each.name) for each in reverse] + padding, np.int32)
        constants = np.array([each.value for each in reverse] + padding, np.float32)
        with np.errstate(over="ignore"):
            coefficients = np.array([each.coefficient for each in reverse] + padding, np.float32)
        operands = np.zeros((capacity, max(map(num_operands, operators))), np.int32)
        stack: list[int] = []
        for number, each in enumerate(reverse):
            for place in range(0 if each.name in LEAVES else num_operands(each.name)):
                operands[number, place] = stack.pop()
            stack.append(number)
        length = np.asarray(len(instructions), np.int32)
        return cls(opcodes, constants, coefficients, operands, length, operators, domain)


def num_instructions(tree: LossTree, domain: Domain = "probability") -> int:
    """Return the capacity that a program of a tree needs: its number of nodes, a few more or less."""
    return len(stable(tree, domain))


def known_operators(
    trees: Iterable[LossTree], others: Iterable[str] = (), domain: Domain = "probability"
) -> tuple[str, ...]:
    """Return the operators of programs of trees: the paper's, others by name, and what else the trees need."""
    names = {*PAPER_OPERATORS, *others, *(instruction.name for tree in trees for instruction in stable(tree, domain))}
    if names & STABLE_ARITIES.keys():  # the forms of a power come together
        names |= STABLE_ARITIES.keys()
    return tuple(name for name in OPERATIONS if name in names)
