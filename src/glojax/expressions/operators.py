"""The operator table: every element a loss expression is made of.

Sampling, parsing, printing, LaTeX and the numeric evaluators all derive from `OPERATORS`; an element's place in it is
its opcode. The elements and weights are those of Gonzalez and Miikkulainen (2020), section III-A. The paper gives the
square no weight; ours is 1.
"""

from typing import Final, NamedTuple

#: Integers beyond this are not exact in float32, in which losses are computed.
MAX_INTEGER: Final = 2**24


class Operator(NamedTuple):
    """One kind of node.

    Attributes:
        name: Its key in `OPERATORS`.
        symbol: How it is written in text: an infix sign, a function's name, a suffix, or a leaf.
        arity: Number of operands: 0, 1 or 2.
        weight: Relative frequency in random sampling.
        precedence: How tightly it binds in text: 1 sum, 2 product, 3 sign (no operator of its own), 4 power, and 5 for
            what never needs parentheses.
        latex: Format string with one place for each operand.
    """

    name: str
    symbol: str
    arity: int
    weight: float
    precedence: int
    latex: str


# A constant's weight covers the paper's two leaves 1 and -1, of weight 1 each.
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

#: The integers that random sampling draws for a `constant`, equally often.
SAMPLED_INTEGERS: Final = (1, -1)

#: Opcode of each operator: its place in the table.
OPCODES: Final[dict[str, int]] = {name: opcode for opcode, name in enumerate(OPERATORS)}
