r"""Loss functions in other notations.

In LaTeX, parentheses enclose a sum within a product, a number or a minus right after another operator or factor, and
the base of a power unless it is a leaf.
"""

from typing import Final, NamedTuple

from glojax.expressions.operators import OPERATORS, Node
from glojax.expressions.syntax import format_exponent
from glojax.expressions.tree import LossTree

_SUM: Final = OPERATORS["add"].precedence
_PRODUCT: Final = OPERATORS["multiply"].precedence
_ATOM: Final = OPERATORS["constant"].precedence


def to_latex(tree: LossTree) -> str:
    r"""Write a loss function of the label `x` and the probability `y` as a LaTeX formula, without dollar signs.

    Examples:
        >>> print(to_latex(LossTree.parse("0.5*log(y) * (1 - x)^2")))
        0.5 \, \log\left(y\right) \, \left(1 - x\right)^{2}
    """
    return tree.fold(_latex).text


class _Latex(NamedTuple):
    """A formula, the precedence of its outermost operator, and whether it is a leaf without a minus."""

    text: str
    precedence: int = _ATOM
    is_leaf: bool = False


def _latex(node: Node, *operands: _Latex) -> _Latex:
    if node.coefficient != 1:
        number = _Latex(_number(repr(float(node.coefficient))), _PRODUCT)
        if node.operator == "constant" and node.value == 1:
            return number
        return _product(number, _latex(node._replace(coefficient=1.0), *operands))
    template = OPERATORS[node.operator].latex
    match node.operator, operands:
        case "constant", ():
            return _Latex(str(node.value), is_leaf=node.value >= 0)
        case _, ():
            return _Latex(template, is_leaf=True)
        case (("square" | "power"), (base,)):
            text = base.text if base.is_leaf else _parenthesised(base.text)
            return _Latex(template.format(text, _number(format_exponent(node))))
        case "multiply", (left, right):
            return _product(left, right)
        case "add" | "subtract", (left, right):
            second = _after(right, _SUM if node.operator == "add" else _PRODUCT)
            return _Latex(template.format(left.text, second), _SUM)
    return _Latex(template.format(*(operand.text for operand in operands)))


def _number(text: str) -> str:
    mantissa, _, exponent = text.partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def _product(left: _Latex, right: _Latex) -> _Latex:
    first = left.text if left.precedence >= _PRODUCT else _parenthesised(left.text)
    second = _after(right, _PRODUCT, misread="-0123456789")
    if first == "-1":
        return _Latex(f"-{second}", _PRODUCT)
    return _Latex(OPERATORS["multiply"].latex.format(first, second), _PRODUCT)


def _after(operand: _Latex, precedence: int, misread: str = "-") -> str:
    """Return an operand after another one, in parentheses if it binds less tightly or its first character misleads."""
    needed = operand.precedence < precedence or operand.text[0] in misread
    return _parenthesised(operand.text) if needed else operand.text


def _parenthesised(text: str) -> str:
    return rf"\left({text}\right)"
