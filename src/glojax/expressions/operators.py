"""The operator table, every element that a loss expression is made of, and the nodes of trees.

Sampling, parsing, printing, LaTeX and the numeric evaluators derive from `OPERATORS`; an operator's index in it is its
opcode. `glojax.losses.register_operator` appends to it. The first elements and weights are those of Gonzalez and
Miikkulainen (2020), section III-A. The paper gives the square no weight; ours is 1.
"""

import math
import re
from string import Formatter
from typing import Final, NamedTuple

from glojax.errors import ConfigurationError

#: The largest integer up to which float32, in which losses are computed, counts exactly.
MAX_INTEGER: Final = 2**24

#: The size of the largest tree that is read, bred and simplified. To read its text takes a few hundredths of a second.
MAX_NODES: Final = 1_000

#: The integers that random sampling draws for a `constant`, equally often.
SAMPLED_INTEGERS: Final = (1, -1)

# A call with a coefficient of 24 characters then fits the 40 characters a node of `glojax.expressions.tokens`.
_LONGEST_SYMBOL: Final = 11


class Operator(NamedTuple):
    """One kind of node."""

    name: str  #: Its key in `OPERATORS`
    symbol: str  #: Its text: an infix sign, a function's name, a suffix, or a leaf
    arity: int  #: Number of operands: 0, 1 or 2
    weight: float = 1.0  #: Relative frequency in random sampling
    #: How tightly it binds in text: 1 sum, 2 product, 3 sign (not an operator), 4 power, 5 leaf or function call.
    precedence: int = 5
    latex: str = ""  #: Format string with a `{}` for each operand

    @property
    def is_function(self) -> bool:
        """Whether its text is a function call, such as `log(y)`."""
        return self.arity > 0 and self.symbol.isidentifier()


# The constant's weight covers the paper's two leaves 1 and -1, of weight 1 each.
OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator("x", "x", 0, 3.0, 5, "x"),
        Operator("y", "y", 0, 3.0, 5, "y"),
        Operator("constant", "", 0, 2.0, 5, ""),
        Operator("log", "log", 1, 3.0, 5, r"\log\left({}\right)"),
        Operator("square", "^2", 1, 1.0, 4, "{}^{{2}}"),
        Operator("sqrt", "sqrt", 1, 2.0, 5, r"\sqrt{{{}}}"),
        Operator("add", "+", 2, 1.0, 1, "{} + {}"),
        Operator("subtract", "-", 2, 1.0, 1, "{} - {}"),
        Operator("multiply", "*", 2, 1.0, 2, r"{} \, {}"),
        Operator("divide", "/", 2, 1.0, 2, r"\frac{{{}}}{{{}}}"),
    )
}


class Node(NamedTuple):
    """One node of a tree."""

    operator: str  # a key of `OPERATORS`
    value: int = 0  # the integer of a `constant`; 0 otherwise
    coefficient: float = 1.0  # factor on the node's output (paper, section III-B); 1 unless tuned

    @property
    def arity(self) -> int:
        """Number of operands: 0, 1 or 2."""
        return OPERATORS[self.operator].arity


def check_new(operator: Operator) -> None:
    """Refuse an operator that is no function of one or two operands, or whose name is taken."""
    symbol, arity = operator.symbol, operator.arity
    symbols = [other.symbol for other in OPERATORS.values()]
    if not isinstance(operator.name, str) or not operator.name.isidentifier() or operator.name in OPERATORS:
        problem = f"its name must be a Python name that is not taken; taken are {', '.join(OPERATORS)}"
    elif not isinstance(symbol, str) or not re.fullmatch(r"[A-Za-z_]\w*", symbol, re.ASCII) or symbol in symbols:
        problem = f"its symbol {symbol!r} must be a name that is not taken; taken are {' '.join(filter(None, symbols))}"
    elif len(symbol) > _LONGEST_SYMBOL:
        problem = f"its symbol {symbol!r} is too long; expected at most {_LONGEST_SYMBOL} characters"
    elif arity not in (1, 2):
        problem = f"its arity is {arity!r}; expected 1 or 2 operands"
    elif operator.precedence != 5:
        problem = f"its precedence is {operator.precedence!r}; expected 5, that of a function call such as {symbol}(y)"
    elif not 0 <= operator.weight < math.inf:
        problem = f"its weight is {operator.weight!r}; expected a finite number of at least 0"
    elif operator.latex and not _has_fields(operator.latex, arity):
        problem = f"its latex is {operator.latex!r}; expected a format string with {arity} times {{}}"
    else:
        return
    raise ConfigurationError(f"Operator {operator.name!r} cannot be registered: {problem}.")


def _has_fields(template: str, number: int) -> bool:
    try:
        fields = [field for _, *field in Formatter().parse(template) if field[0] is not None]
    except ValueError:
        return False
    return fields == [["", "", None]] * number
