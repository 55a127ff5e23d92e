"""The library of operators, every element that a loss expression is made of, and the nodes of trees.

Parsing, printing, LaTeX, SymPy, sampling and the numeric evaluators derive from `OPERATORS`, to which
`glojax.losses.register_operator` appends. The first elements and weights, which a search draws by default, are those of
Gonzalez and Miikkulainen (2020), section III-A. The paper gives the square no weight; ours is 1.
"""

import math
import operator as python
import re
from collections.abc import Callable
from fractions import Fraction
from string import Formatter
from typing import Any, Final, Literal, NamedTuple

from glojax.errors import ConfigurationError

#: The largest integer up to which float32, in which losses are computed, counts exactly.
MAX_INTEGER: Final = 2**24

#: The size of the largest tree that is read, bred and simplified. To read its text takes a few hundredths of a second.
MAX_NODES: Final = 1_000

#: The values that random sampling draws for a node that has one, equally often.
SAMPLED_VALUES: Final[dict[str, tuple[float, ...]]] = {"constant": (1, -1), "power": (0.5, 1.5, 3)}

# A call with a coefficient of 24 characters then fits the characters a node of `glojax.expressions.tokens`.
_LONGEST_SYMBOL: Final = 11

# A printable ASCII character that has no other meaning in a text.
_FREE_SIGN: Final = r"[!\"#$%&':;<=>?@\[\\\]`{|}~]"


class Operator(NamedTuple):
    """One kind of node."""

    name: str  #: Its key in `OPERATORS`
    symbol: str  #: Its text: a sign, a function's name, or a leaf
    arity: int  #: Number of operands: 0 to 3
    weight: float = 1.0  #: Relative frequency in random sampling, where it is drawn
    #: How tightly it binds in text: 1 sum, 2 product, 3 sign before its operand, 4 power, 5 leaf or function call.
    precedence: int = 5
    latex: str = ""  #: Format string with a `{}` for each operand, and one for the exponent of a power
    #: The name of a function of SymPy, or a function of SymPy's expressions: the operands, and the exponent of a power.
    sympy: str | Callable[..., Any] | None = None

    @property
    def form(self) -> Literal["leaf", "call", "infix", "prefix", "postfix"]:
        """How its text is written: `log(y)` is a call, `x - y` infix, and `y^2` postfix."""
        if self.arity == 0:
            return "leaf"
        if self.symbol.isidentifier():
            return "call"
        if self.arity == 2:
            return "infix"
        return "prefix" if self.precedence == 3 else "postfix"


_QUOTIENT: Final = r"\frac{{{}}}{{\sqrt{{1 + \left({}\right)^{{2}}}}}}"

# The constant's weight covers the paper's two leaves 1 and -1, of weight 1 each. The analytic quotient is that of Ni,
# Drieberg and Rockett (2013, The use of an analytic quotient operator in genetic programming), equation 4.
OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator("x", "x", 0, 3.0, 5, "x"),
        Operator("y", "y", 0, 3.0, 5, "y"),
        Operator("constant", "", 0, 2.0, 5, ""),
        Operator("log", "log", 1, 3.0, 5, r"\log\left({}\right)", "log"),
        Operator("square", "^2", 1, 1.0, 4, "{}^{{2}}", lambda a: a**2),
        Operator("sqrt", "sqrt", 1, 2.0, 5, r"\sqrt{{{}}}", "sqrt"),
        Operator("add", "+", 2, 1.0, 1, "{} + {}", python.add),
        Operator("subtract", "-", 2, 1.0, 1, "{} - {}", python.sub),
        Operator("multiply", "*", 2, 1.0, 2, r"{} \, {}", python.mul),
        Operator("divide", "/", 2, 1.0, 2, r"\frac{{{}}}{{{}}}", python.truediv),
        Operator("exp", "exp", 1, 1.0, 5, r"e^{{{}}}", "exp"),
        Operator("abs", "abs", 1, 1.0, 5, r"\left|{}\right|", "Abs"),
        Operator("tanh", "tanh", 1, 1.0, 5, r"\tanh\left({}\right)", "tanh"),
        Operator("sin", "sin", 1, 1.0, 5, r"\sin\left({}\right)", "sin"),
        Operator("cos", "cos", 1, 1.0, 5, r"\cos\left({}\right)", "cos"),
        Operator("max", "max", 2, 1.0, 5, r"\max\left({}, {}\right)", "Max"),
        Operator("min", "min", 2, 1.0, 5, r"\min\left({}, {}\right)", "Min"),
        Operator("power", "^", 1, 1.0, 4, "{}^{{{}}}", python.pow),
        Operator("analytic_quotient", "aq", 2, 1.0, 5, _QUOTIENT, lambda a, b: a / (1 + b**2) ** Fraction(1, 2)),
    )
}

#: The operators with operands that a search draws by default, and that every program knows.
PAPER_OPERATORS: Final = ("log", "square", "sqrt", "add", "subtract", "multiply", "divide")


class Node(NamedTuple):
    """One node of a tree."""

    operator: str  # a key of `OPERATORS`
    value: float = 0  # the integer of a `constant`, or the exponent of a `power`; 0 otherwise
    coefficient: float = 1.0  # factor on the node's output (paper, section III-B); 1 unless tuned

    @property
    def arity(self) -> int:
        """Number of operands: 0 to 3."""
        return OPERATORS[self.operator].arity


def is_exponent(value: float) -> bool:
    """Return whether a `power` may have this exponent; that of 2 is `square`."""
    return 0 < abs(value) <= MAX_INTEGER and value != 2


def check_new(operator: Operator) -> None:
    """Refuse an operator that is no function of one to three operands, or whose name or text is taken."""
    symbol, arity, sympy = operator.symbol, operator.arity, operator.sympy
    symbols = [other.symbol for other in OPERATORS.values()]
    is_name = isinstance(symbol, str) and re.fullmatch(r"[A-Za-z_]\w*", symbol, re.ASCII) is not None
    is_sign = isinstance(symbol, str) and re.fullmatch(_FREE_SIGN, symbol) is not None and arity == 1
    if not isinstance(operator.name, str) or not operator.name.isidentifier() or operator.name in OPERATORS:
        problem = f"its name must be a Python name that is not taken; taken are {', '.join(OPERATORS)}"
    elif arity not in (1, 2, 3):
        problem = f"its arity is {arity!r}; expected 1, 2 or 3 operands"
    elif not (is_name or is_sign) or symbol in symbols:
        problem = (
            f"its symbol {symbol!r} must be a name, or for one operand a sign such as !, that is not taken; taken are "
            f"{' '.join(filter(None, symbols))}"
        )
    elif len(symbol) > _LONGEST_SYMBOL:
        problem = f"its symbol {symbol!r} is too long; expected at most {_LONGEST_SYMBOL} characters"
    elif operator.precedence not in ((3, 4) if is_sign else (5,)):
        expected = f"3 for {symbol}y or 4 for y{symbol}" if is_sign else f"5, that of a call such as {symbol}(y)"
        problem = f"its precedence is {operator.precedence!r}; expected {expected}"
    elif not 0 < operator.weight < math.inf:
        problem = f"its weight is {operator.weight!r}; expected a finite number above 0"
    elif operator.latex and not _has_fields(operator.latex, arity):
        problem = f"its latex is {operator.latex!r}; expected a format string with {arity} times {{}}"
    elif not (sympy is None or callable(sympy) or (isinstance(sympy, str) and sympy.isidentifier())):
        problem = f"its sympy is {sympy!r}; expected a name in SymPy, such as 'exp', a function, or None"
    else:
        return
    raise ConfigurationError(f"Operator {operator.name!r} cannot be registered: {problem}.")


def _has_fields(template: str, number: int) -> bool:
    try:
        fields = [field for _, *field in Formatter().parse(template) if field[0] is not None]
    except ValueError:
        return False
    return fields == [["", "", None]] * number
