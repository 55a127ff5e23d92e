"""Text to nodes and back: `log(y) - x / y`.

The grammar is that of Python, for the elements of the operator table:

- Sums, differences, products and quotients associate to the left; a sign binds tighter than they do, a power tighter
  still. The only power is the square, `y^2` or `y**2`.
- `-2` is the constant -2. A sign on anything else, `-y`, is `-1 * y`; the two texts are the same tree.
- A decimal literal and `*` at the start of a term multiply the coefficient of the factor that follows: `0.5*y` is `y`
  with coefficient 0.5, and `0.5*(x + y)` a sum with that coefficient. Elsewhere a decimal literal is the constant 1
  with that coefficient: `y * 0.5` has three nodes.

`format_nodes` writes the fewest parentheses that `parse_nodes` reads back as the same nodes. Neither recurses.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from glojax.errors import ExpressionError
from glojax.expressions.nodes import MAX_NODES, Node
from glojax.expressions.operators import OPERATORS
from glojax.expressions.tokens import (
    EXPONENT,
    INFIX,
    LEAVES,
    POWER,
    POWER_SIGNS,
    SIGNS,
    Token,
    decimal,
    error_at,
    functions,
    integer,
    names,
    tokenize,
)

_MINUS: Final = OPERATORS["subtract"].symbol
_TIMES: Final = OPERATORS["multiply"].symbol
_NEGATION: Final = (Node("multiply"), Node("constant", -1))

_SUM: Final = OPERATORS["add"].precedence
_PRODUCT: Final = OPERATORS["multiply"].precedence
_SIGN: Final = _PRODUCT + 1
_ATOM: Final = OPERATORS["constant"].precedence


def format_nodes(nodes: Sequence[Node]) -> str:
    """Write the nodes of one tree with the fewest parentheses.

    `parse_nodes` reads the text back as the same nodes, if they are at most `MAX_NODES` and each coefficient is finite.

    Example:
        >>> format_nodes(parse_nodes("((2.5 * x) * (y - (-1 * x)))"))
        '2.5*x * (y - -x)'
    """
    ends = [0] * len(nodes)  # for each node, the index after its subtree
    starts: list[int] = []
    for start in reversed(range(len(nodes))):
        ends[start] = start + 1
        for _ in range(nodes[start].arity):
            ends[start] = ends[starts.pop()]
        starts.append(start)
    pieces: list[str] = []
    waiting: list[str | _Part] = [_Part(0)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            pieces.append(part)
        else:
            layout, precedence = _layout(nodes, part, ends)
            waiting += reversed(["(", *layout, ")"] if precedence < part.precedence else layout)
    return "".join(pieces)


class _Part(NamedTuple):
    """A subtree that is not written yet, and the precedence below which its text needs parentheses."""

    start: int
    precedence: int = 0
    without_coefficient: bool = False


def _layout(nodes: Sequence[Node], part: _Part, ends: Sequence[int]) -> tuple[list[str | _Part], int]:
    """Return the pieces of a subtree's text, without parentheses around it, and its precedence."""
    node, left = nodes[part.start], part.start + 1
    if part.without_coefficient:
        node = node._replace(coefficient=1.0)
    operator = OPERATORS[node.operator]
    if literal := _literal(node):
        return [literal], _SIGN if literal.startswith(_MINUS) else _ATOM
    if node.coefficient != 1:
        prefix = f"{float(node.coefficient)!r}{_TIMES}"
        return [prefix, _Part(part.start, _SIGN, without_coefficient=True)], _PRODUCT
    if operator.arity == 0:
        return [operator.symbol], operator.precedence
    if operator is POWER:
        return [_Part(left, _ATOM), operator.symbol], operator.precedence
    right = ends[left]
    if operator.is_function:
        second: list[str | _Part] = [", ", _Part(right)] if operator.arity == 2 else []
        return [operator.symbol, "(", _Part(left), *second, ")"], operator.precedence
    if (node, nodes[left]) == _NEGATION and not _literal(nodes[right])[:1].isdigit():
        return [_MINUS, _Part(right, _SIGN)], _SIGN
    first: str | _Part = _Part(left, operator.precedence)
    if operator.symbol == _TIMES and nodes[left].coefficient != 1 and _literal(nodes[left]):
        first = f"{_literal(nodes[left])}{_TIMES}1"  # a bare decimal would be the next factor's coefficient
    return [first, f" {operator.symbol} ", _Part(right, operator.precedence + 1)], operator.precedence


def _literal(node: Node) -> str:
    """Return the text of a node that is one number; an empty text for other nodes."""
    if node.operator != "constant":
        return ""
    if node.coefficient == 1:
        return str(node.value)
    return repr(float(node.coefficient)) if node.value == 1 else ""


def parse_nodes(text: str) -> tuple[Node, ...]:
    """Read an expression of at most `MAX_TEXT_LENGTH` characters, `MAX_TOKENS` tokens and `MAX_NODES` nodes.

    Raises:
        ExpressionError: The text is not an expression or is beyond a limit. The first line of the message says where
            and why; two more lines point at the character.

    Example:
        >>> [node.operator for node in parse_nodes("log(y) - x")]
        ['subtract', 'log', 'y', 'x']
    """
    return _Parser(text).parse()


class _Pending(NamedTuple):
    """An element that waits for its last operand: an infix sign, a minus, a coefficient, or an open parenthesis.

    Attributes:
        position: Index of its character in the text.
        precedence: An operator that binds no tighter completes it; 0 waits for a closing parenthesis.
        prefix: The nodes to insert before its operands.
        num_operands: The number of its operands, which are the latest.
        coefficient: A factor on the first node's coefficient.
        starts_term: Whether a term begins after it, so that a coefficient may come.
        needs_comma: Whether a comma and a second operand must come.
    """

    position: int
    precedence: int
    prefix: tuple[Node, ...] = ()
    num_operands: int = 1
    coefficient: float = 1.0
    starts_term: bool = True
    needs_comma: bool = False


class _Parser:
    """A precedence parser with an explicit stack.

    `_nodes` holds the finished operands one after the other, and `_starts` the index at which each begins. The parser
    applies an operator to the latest operands by inserting it before the first of them.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._index = 0
        self._functions = functions()
        self._nodes: list[Node] = []
        self._starts: list[int] = []
        self._pending: list[_Pending] = []

    def parse(self) -> tuple[Node, ...]:
        if self._next.kind == "end":
            raise error_at(self._text, 0, "the expression is empty; expected something like log(y) - x / y")
        self._read_operand()
        while self._read_operator():
            self._read_operand()
        return tuple(self._nodes)

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        self._index += 1
        return self._tokens[self._index - 1]

    def _error(self, culprit: "Token | _Pending", problem: str) -> ExpressionError:
        return error_at(self._text, culprit.position, problem)

    def _read_operand(self) -> None:
        """Read signs, coefficients, functions and opening parentheses, up to and including the next leaf."""
        while True:
            sign = -1 if self._at_negative_number() else 1
            if sign < 0:
                self._take()
            token = self._take()
            if token.kind == "integer":
                return self._add_leaf(Node("constant", sign * integer(self._text, token)))
            if token.kind == "decimal":
                value = sign * decimal(self._text, token)
                if self._next.text != _TIMES or (self._pending and not self._pending[-1].starts_term):
                    return self._add_leaf(Node("constant", 1, value))
                self._take()
                self._pending.append(_Pending(token.position, _SIGN, coefficient=value))
            elif token.text in LEAVES:
                return self._add_leaf(Node(LEAVES[token.text].name))
            elif token.text in self._functions:
                function, parenthesis = self._functions[token.text], self._take()
                if parenthesis.text != "(":
                    call = f"{token.text}({'y' if function.arity == 1 else 'x, y'})"
                    raise self._error(parenthesis, f"expected '(' after {token.text}, got {parenthesis}; write {call}")
                pending = _Pending(parenthesis.position, 0, (Node(function.name),), function.arity)
                self._pending.append(pending._replace(needs_comma=function.arity == 2))
            elif token.text == "(":
                self._pending.append(_Pending(token.position, 0))
            elif token.text == _MINUS:
                self._pending.append(_Pending(token.position, _SIGN, _NEGATION, starts_term=False))
            elif token.kind == "name":
                raise self._error(token, f"unknown name {token}; the only names are {names()}")
            else:
                calls = [f"{name}(...)" for name in self._functions]
                raise self._error(token, f"expected {', '.join([*LEAVES, 'a number', *calls])} or '(', got {token}")

    def _read_operator(self) -> bool:
        """Read up to and including the next infix sign or comma; return whether there is one."""
        while True:
            token = self._take()
            if token.text in POWER_SIGNS:
                self._read_exponent()
            elif token.text == ")":
                self._complete(1)
                if not self._pending:
                    raise self._error(token, "this ')' closes nothing; remove it, or open a '(' before it")
                if self._pending[-1].needs_comma:
                    raise self._error(token, "expected ',' and a second operand, got ')'")
                self._apply(self._pending.pop())
            elif token.text == "," and self._begin_second_operand():
                return True
            elif token.text in INFIX:
                operator = INFIX[token.text]
                self._complete(operator.precedence)
                pending = _Pending(token.position, operator.precedence, (Node(operator.name),), num_operands=2)
                self._pending.append(pending._replace(starts_term=operator.precedence == _SUM))
                return True
            elif token.kind == "end":
                self._complete(1)
                if self._pending:
                    raise self._error(self._pending[-1], "this '(' is never closed; expected a ')' after it")
                return False
            elif token.kind == "name" and token.text not in LEAVES | self._functions:
                raise self._error(token, f"unknown name {token}; the only names are {names()}")
            else:
                problem = f"expected one of {SIGNS} or the end, got {token}; to multiply, write {_TIMES}"
                raise self._error(token, problem)

    def _begin_second_operand(self) -> bool:
        """Complete the first operand of a function; return whether a comma may follow it."""
        self._complete(1)
        if not self._pending or not self._pending[-1].needs_comma:
            return False
        self._pending[-1] = self._pending[-1]._replace(needs_comma=False)
        return True

    def _read_exponent(self) -> None:
        exponent = self._take()
        if exponent.kind != "integer" or exponent.text != EXPONENT:
            problem = f"expected the exponent {EXPONENT}, the only one there is, got {exponent}"
            raise self._error(exponent, f"{problem}; write a cube as y * y^2")
        if self._next.text in POWER_SIGNS:
            raise self._error(self._next, "a power of a power needs parentheses; write (y^2)^2")
        self._apply(_Pending(exponent.position, POWER.precedence, (Node(POWER.name),)))

    def _at_negative_number(self) -> bool:
        """Return whether `-2` or the like follows, a literal; in `-2^2`, which is `-(2^2)`, it does not."""
        if self._next.text != _MINUS:
            return False
        number, after = (*self._tokens[self._index + 1 : self._index + 3], self._tokens[-1])[:2]
        return number.kind in ("integer", "decimal") and after.text not in POWER_SIGNS

    def _add_leaf(self, node: Node) -> None:
        self._starts.append(len(self._nodes))
        self._nodes.append(node)

    def _complete(self, precedence: int) -> None:
        """Apply the pending elements that bind at least as tightly as an operator that follows."""
        while self._pending and self._pending[-1].precedence >= precedence:
            self._apply(self._pending.pop())

    def _apply(self, pending: _Pending) -> None:
        start = self._starts[-pending.num_operands]
        del self._starts[len(self._starts) - pending.num_operands + 1 :]
        self._nodes[start:start] = pending.prefix
        if len(self._nodes) > MAX_NODES:
            raise self._error(pending, f"too large; expected at most {MAX_NODES:,} names, numbers and operators")
        coefficient = self._nodes[start].coefficient * pending.coefficient
        if not math.isfinite(coefficient):
            raise self._error(pending, "the product of the coefficients is too large; expected a finite float64")
        self._nodes[start] = self._nodes[start]._replace(coefficient=coefficient)
