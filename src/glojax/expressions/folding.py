"""Trees whose numbers are written as short as they can be, for people to read.

`canonical` folds constants by exact arithmetic, and leaves nodes with coefficients alone, as these are tuned. What a
search found keeps such parts as `0.11*2 / 10.0`: here each subtree without x and y becomes one number, and the
coefficients of a product move to its root.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from glojax.expressions.operators import MAX_INTEGER, Node
from glojax.expressions.tree import LossTree

#: Digits of a coefficient, as many as a tuned one has.
_DIGITS: Final = 6

_FUNCTIONS: Final[dict[str, Callable[..., float]]] = {
    "log": math.log,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "abs": abs,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "max": max,
    "min": min,
    "analytic_quotient": lambda a, b: a / math.sqrt(1 + b**2),
}


class _Scaled(NamedTuple):
    """A number times a tree whose root has no coefficient, or a number alone."""

    number: float
    tree: LossTree | None = None

    @property
    def whole(self) -> LossTree:
        """It as one tree."""
        number = float(f"{self.number:.{_DIGITS}g}")
        if self.tree is not None:
            return number * self.tree
        if number.is_integer() and abs(number) <= MAX_INTEGER:
            return LossTree.constant(int(number))
        return LossTree((Node("constant", 1, number),))


def with_folded_numbers(tree: LossTree) -> LossTree:
    """Return the same function, up to the rounding of numbers to six digits, with fewer numbers; or the tree itself.

    A tree with a part that has no finite value stays as it is, and so does one whose text would not become shorter.

    Examples:
        >>> str(with_folded_numbers(LossTree.parse("2.1*log(y) * (0.1 / 110.0 + 2.2*(0.5*x * (x - y)))")))
        '2.1*(log(y) * (0.000909091 + 1.1*(x * (x - y))))'
    """
    try:
        folded = tree.fold(_fold).whole
    except (ArithmeticError, ValueError):
        return tree
    return folded if len(str(folded)) < len(str(tree)) else tree


def _fold(node: Node, *operands: _Scaled) -> _Scaled:
    number, tree = _folded(node, *operands)
    if not math.isfinite(number * node.coefficient):
        raise OverflowError
    return _Scaled(number * node.coefficient, tree)


def _folded(node: Node, *operands: _Scaled) -> _Scaled:
    """Return a node without its coefficient."""
    match node.operator, operands:
        case "constant", ():
            return _Scaled(node.value)
        case _, ():
            return _Scaled(1.0, LossTree.of(node.operator))
        case "multiply", ((a, left), (b, right)):
            if left is None or right is None:
                return _Scaled(a * b, left or right)
            return _Scaled(a * b, LossTree.of("multiply", left, right))
        case "divide", ((a, left), (b, right)):
            if right is None:
                return _Scaled(a / b, left)
            return _Scaled(a / b, LossTree.of("divide", left or LossTree.constant(1), right))
        case "square", ((a, base),):
            return _Scaled(a**2, None if base is None else LossTree.of("square", base))
        case "add" | "subtract", (left, right):
            return _sum(left, right if node.operator == "add" else right._replace(number=-right.number))
        case "power", ((a, None),):
            return _Scaled(math.pow(a, node.value))
        case name, _ if name in _FUNCTIONS and all(operand.tree is None for operand in operands):
            return _Scaled(_FUNCTIONS[name](*(operand.number for operand in operands)))
    whole = (operand.whole for operand in operands)
    return _Scaled(1.0, LossTree.of(node.operator, *whole, value=node.value))


def _sum(left: _Scaled, right: _Scaled) -> _Scaled:
    if left.tree is None and right.tree is None:
        return _Scaled(left.number + right.number)
    for one, other in ((left, right), (right, left)):
        if one == _Scaled(0.0):
            return other
    if left.tree == right.tree and left.number + right.number:
        return _Scaled(left.number + right.number, left.tree)
    if right.number < 0:
        return _Scaled(1.0, LossTree.of("subtract", left.whole, right._replace(number=-right.number).whole))
    return _Scaled(1.0, LossTree.of("add", left.whole, right.whole))
