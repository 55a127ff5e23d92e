"""The elements of expressions as names in Python: `log(y) - x / y` is `LossTree.parse("log(y) - x / y")`."""

from collections.abc import Callable
from typing import Final

from glojax.errors import ExpressionError
from glojax.expressions.operators import OPERATORS
from glojax.expressions.tree import LossTree, tree_of

#: The label and the probability of a class.
x: Final = LossTree.of("x")
y: Final = LossTree.of("y")


def _function(name: str) -> Callable[..., LossTree]:
    """Return an operator of `OPERATORS` as a function of trees and numbers."""

    def function(*operands: LossTree | float) -> LossTree:
        trees = [tree for operand in operands if (tree := tree_of(operand)) is not None]
        operator = OPERATORS[name]
        if not len(trees) == len(operands) == operator.arity:
            given = f"{operator.symbol}({', '.join(map(str, operands))})"
            raise ExpressionError(f"Got {given}; expected trees or numbers, {operator.arity} of them.")
        return LossTree.of(name, *trees)

    return function


log = _function("log")
sqrt = _function("sqrt")
exp = _function("exp")
tanh = _function("tanh")
sin = _function("sin")
cos = _function("cos")
maximum = _function("max")
minimum = _function("min")
analytic_quotient = _function("analytic_quotient")
