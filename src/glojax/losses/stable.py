"""The form in which a tree is computed: with the leaves of `glojax.losses.leaves`.

- `1 - y` and `x - y` become leaves, and so do `log(y)` and `log(1 - y)`.
- The logarithm of a product, quotient, power or root with y or 1 - y in it, of provably nonnegative factors, becomes a
  sum of logarithms: `log(x * y)` stays finite where y has left float32. That of `exp(a)` is a.
- Powers of y and 1 - y, but squares, have their logarithms beside them: `1 - y^0.7` stays exact where y is close to 1.
- In denominators, powers with a negative exponent among them, and nowhere else, y, 1 - y and x - y are clipped.

Only clipping changes the function. In the domain "real" y may be negative, so that logarithms and powers stay as they
are written.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from glojax.expressions import Domain, LossTree, Node
from glojax.losses.leaves import Leaves

T = TypeVar("T")

CONSTANT: Final = "constant"

#: What an instruction without operands may be.
LEAVES: Final = (*Leaves._fields, CONSTANT)


class Instruction(NamedTuple):
    """One value to compute.

    Attributes:
        name: One of `LEAVES`, or a name in `glojax.losses.operations.OPERATIONS`.
        arity: Number of operands.
        coefficient: A factor on the value.
        value: The value of a constant.
    """

    name: str
    arity: int = 0
    coefficient: float = 1.0
    value: float = 0.0


#: Instructions in prefix order, as the nodes of a tree.
Instructions = tuple[Instruction, ...]

_ONE: Final = (Instruction(CONSTANT, value=1.0),)
_LOG_POWER: Final = Instruction("log power", 3)
_POWER_COMPLEMENT: Final = Instruction("power complement", 3)
_KEEPING_SIGN: Final = ("add", "multiply", "divide", "max", "min", "tanh", "analytic_quotient")
_LOGS: Final = {
    "y": "log_y",
    "clipped_y": "log_y",
    "complement": "log_complement",
    "clipped_complement": "log_complement",
}


def stable(tree: LossTree, domain: Domain = "probability") -> Instructions:
    """Return what computes a tree."""
    parts: list[_Part] = []
    for node, is_denominator in reversed(list(zip(tree.nodes, _denominators(tree), strict=True))):
        operands = [parts.pop() for _ in range(node.arity)]
        part = _part(node, "clipped_" if is_denominator else "", *operands)
        if domain == "real" and part.instructions[0].name in Leaves._fields:
            part = part._replace(is_nonnegative=False, log=None)
        parts.append(part.times(node.coefficient))
    return parts.pop().instructions


def plain(tree: LossTree) -> Instructions:
    """Return what computes a tree of any x and y, as it is written: of the leaves x and y alone."""

    def part(node: Node, *operands: Instructions) -> Instructions:
        below = tuple(instruction for operand in operands for instruction in operand)
        match node.operator:
            case "constant":
                return (Instruction(CONSTANT, coefficient=node.coefficient, value=float(node.value)),)
            case "power":
                exponent = Instruction(CONSTANT, value=float(node.value))
                return (Instruction("power", 2, node.coefficient), *below, exponent)
        return (Instruction(node.operator, node.arity, node.coefficient), *below)

    return tree.fold(part)


def run(instructions: Sequence[Instruction], function: Callable[..., T]) -> T:
    """Return the value of the first instruction: `function(instruction, *operands)`, from the last one on."""
    stack: list[T] = []
    for instruction in reversed(instructions):
        stack.append(function(instruction, *(stack.pop() for _ in range(instruction.arity))))
    return stack.pop()


class _Log(NamedTuple):
    """A logarithm: instructions plus a constant."""

    instructions: Instructions
    offset: float = 0.0

    def times(self, factor: float) -> "_Log":
        root, *others = self.instructions
        scaled = root._replace(coefficient=root.coefficient * factor)
        return _Log((scaled, *others), self.offset * factor)


class _Part(NamedTuple):
    """A subtree.

    Attributes:
        instructions: What computes it.
        is_nonnegative: Whether it is provably nonnegative or undefined.
        log: Its logarithm, where that is more than the logarithm of its value.
    """

    instructions: Instructions
    is_nonnegative: bool
    log: _Log | None = None

    def times(self, coefficient: float) -> "_Part":
        if coefficient == 1:
            return self
        root, *others = self.instructions
        log = None
        if self.log is not None and coefficient > 0:
            log = self.log._replace(offset=self.log.offset + math.log(coefficient))
        scaled = root._replace(coefficient=root.coefficient * coefficient)
        return _Part((scaled, *others), self.is_nonnegative and coefficient >= 0, log)


def _denominators(tree: LossTree) -> list[bool]:
    """Return for each node whether it stands in a denominator."""
    found: list[bool] = []
    waiting = [False]
    for node in tree.nodes:
        found.append(waiting.pop())
        waiting += [found[-1]] * node.arity
        if node.operator == "divide":
            waiting[-2] = True  # the right operand, which comes after the left one
        if node.operator == "power" and node.value < 0:
            waiting[-1] = True
    return found


def _part(node: Node, clipped: str, *operands: _Part) -> _Part:
    """Return a node without its coefficient; `clipped` is the prefix of the leaves to take."""
    match node.operator, operands:
        case "x", ():
            return _leaf("x")
        case "y", ():
            return _leaf(f"{clipped}y")
        case "constant", ():
            constant = Instruction(CONSTANT, value=float(node.value))
            return _Part((constant,), node.value >= 0)
        case "subtract", (a, b) if b.instructions == _leaf(f"{clipped}y").instructions:
            if a.instructions == _ONE:
                return _leaf(f"{clipped}complement")
            if a.instructions == _leaf("x").instructions:
                return _leaf(f"{clipped}difference")
        case "subtract", (a, b) if a.instructions == _leaf(f"{clipped}y").instructions:
            if b.instructions == _ONE:
                return _leaf(f"{clipped}complement").times(-1)
            if b.instructions == _leaf("x").instructions:
                return _leaf(f"{clipped}difference").times(-1)
        case "subtract", (a, b) if a.instructions == _ONE and b.instructions[0] == _LOG_POWER:
            return _Part((_POWER_COMPLEMENT, *b.instructions[1:]), True)
        case "subtract", (a, b) if b.instructions == _ONE and a.instructions[0] == _LOG_POWER:
            return _Part((_POWER_COMPLEMENT, *a.instructions[1:]), True).times(-1)
        case "power", (a,):
            exponent = Instruction(CONSTANT, value=float(node.value))
            power = (Instruction("power", 2), *a.instructions, exponent)
            if a.log is not None and a.instructions in (_leaf("y").instructions, _leaf("complement").instructions):
                power = (_LOG_POWER, *a.instructions, Instruction(_LOGS[a.instructions[0].name]), exponent)
            return _Part(power, a.is_nonnegative, _log(node, operands))
        case "log", (a,) if a.log is not None:
            offset = Instruction(CONSTANT, value=a.log.offset)
            sum_of_both = (Instruction("add", 2), offset, *a.log.instructions)
            return _Part(sum_of_both if a.log.offset else a.log.instructions, False)
    root = Instruction(node.operator, node.arity)
    instructions = (root, *(each for operand in operands for each in operand.instructions))
    return _Part(instructions, _is_nonnegative(node.operator, operands), _log(node, operands))


def _leaf(name: str) -> _Part:
    log = _Log((Instruction(_LOGS[name]),)) if name in _LOGS else None
    return _Part((Instruction(name),), not name.endswith("difference"), log)


def _is_nonnegative(operator: str, operands: Sequence[_Part]) -> bool:
    if operator in ("square", "sqrt", "exp", "abs"):
        return True
    return operator in _KEEPING_SIGN and all(operand.is_nonnegative for operand in operands)


def _log(node: Node, operands: Sequence[_Part]) -> _Log | None:
    """Return the logarithm of a power, product or quotient with a y or 1 - y in it."""
    if node.operator == "exp":
        return _Log(operands[0].instructions)
    if not any(operand.log for operand in operands) or not all(operand.is_nonnegative for operand in operands):
        return None
    logs = [operand.log or _Log((Instruction("log", 1), *operand.instructions)) for operand in operands]
    match node.operator, logs:
        case "square", (log,):
            return log.times(2.0)
        case "power", (log,):
            return log.times(node.value)
        case "sqrt", (log,):
            return log.times(0.5)
        case "multiply", (left, right):
            return _sum("add", left, right)
        case "divide", (left, right):
            return _sum("subtract", left, right)
    return None


def _sum(operator: str, left: _Log, right: _Log) -> _Log:
    offset = left.offset + (right.offset if operator == "add" else -right.offset)
    return _Log((Instruction(operator, 2), *left.instructions, *right.instructions), offset)
