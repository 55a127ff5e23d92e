import jax.numpy as jnp
import numpy as np
import pytest

from glojax.errors import ExpressionError
from glojax.expressions import LossTree
from glojax.losses import LossProgram, compile_tree
from glojax.losses.operations import num_operands
from glojax.losses.stable import LEAVES

BAIKAL = LossTree.parse("log(y) - x / y")


def test_a_program_lists_the_instructions_from_last_to_first() -> None:
    program = LossProgram.from_tree(BAIKAL, capacity=8)
    names = [*LEAVES, *program.operators]
    expected = [names.index(name) for name in ("clipped_y", "x", "divide", "log_y", "subtract")]
    np.testing.assert_array_equal(program.opcodes, [*expected, 0, 0, 0])
    assert program.length == 5


def test_constants_and_coefficients_stand_at_their_nodes() -> None:
    tree = LossTree.parse("y - 3").with_coefficients((2.0, 0.5, 4.0))
    program = LossProgram.from_tree(tree, capacity=4)
    np.testing.assert_array_equal(program.constants, [3, 0, 0, 0])
    np.testing.assert_array_equal(program.coefficients, [4.0, 0.5, 2.0, 0])


def test_no_tree_is_no_program() -> None:
    with pytest.raises(ExpressionError, match="There is no tree"):
        LossProgram.from_trees([], capacity=8)


def test_stacked_programs_are_the_single_ones() -> None:
    trees = [BAIKAL, LossTree.parse("x * log(y)")]
    stacked = LossProgram.from_trees(trees, capacity=8)
    for row, tree in enumerate(trees):
        single = LossProgram.from_tree(tree, capacity=8)
        np.testing.assert_array_equal(stacked.opcodes[row], single.opcodes)
        assert stacked.length[row] == single.length


def test_a_tree_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ExpressionError, match="5 instructions does not fit a program of 4"):
        LossProgram.from_tree(BAIKAL, capacity=4)


def test_a_coefficient_beyond_float32_is_infinite() -> None:
    program = LossProgram.from_tree(LossTree.parse("-1e300*y"), capacity=1)
    assert program.coefficients == [-np.inf]
    assert compile_tree(LossTree.parse("-1e300*y"))(jnp.float32(0), jnp.float32(1)) == -np.inf


@pytest.mark.parametrize("text", ["log(y) - x / y", "x", "(x - y) * (log(y) / (1 + x^2)) - sqrt(y)"])
def test_operands_are_the_numbers_of_the_values_that_the_stack_would_hold(text: str) -> None:
    program = LossProgram.from_tree(LossTree.parse(text), 20)
    names = [*LEAVES, *program.operators]
    stack: list[int] = []
    for number in range(int(program.length)):
        name = names[program.opcodes[number]]
        count = 0 if name in LEAVES else num_operands(name)
        assert program.operands[number, :count].tolist() == [stack.pop() for _ in range(count)]
        stack.append(number)
    assert stack == [int(program.length) - 1]
