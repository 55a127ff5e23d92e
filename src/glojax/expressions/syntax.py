"""Text to nodes and back: `log(y) - x / y`.

The grammar is that of Python, for the elements of the operator table:

- Sums, differences, products and quotients associate to the left; a sign binds tighter than they do, a power tighter
  still. An exponent, as in `y^2`, `y**2` or `y^-0.5`, is a number.
- `-2` is the constant -2. A sign on anything else, `-y`, is `-1 * y`; the two texts are the same tree.
- A decimal literal and `*` at the start of a term multiply the coefficient of the factor that follows: `0.5*y` is `y`
  with coefficient 0.5, and `0.5*(x + y)` a sum with that coefficient. Elsewhere a decimal literal is the constant 1
  with that coefficient: `y * 0.5` has three nodes.

Neither `Parser` nor the fold of a tree with `format_node` recurses.
"""

import math
from typing import Final, NamedTuple

from glojax.errors import ExpressionError
from glojax.expressions import tokens
from glojax.expressions.operators import MAX_INTEGER, MAX_NODES, OPERATORS, Node, is_exponent

_MINUS: Final = OPERATORS["subtract"].symbol
_TIMES: Final = OPERATORS["multiply"].symbol
_NEGATION: Final = (Node("multiply"), Node("constant", -1))

_SUM: Final = OPERATORS["add"].precedence
_PRODUCT: Final = OPERATORS["multiply"].precedence
_SIGN: Final = _PRODUCT + 1
_ATOM: Final = OPERATORS["constant"].precedence


class FormattedText(NamedTuple):
    """The text of a subtree, its precedence, and whether it is one number with a point or an exponent."""

    text: str
    precedence: int = _ATOM
    is_decimal: bool = False

    def within(self, precedence: int) -> str:
        """Return the text, in parentheses if it binds less tightly."""
        return f"({self.text})" if self.precedence < precedence else self.text


def format_node(node: Node, *operands: FormattedText) -> FormattedText:
    """Write a node over its operands with the fewest parentheses that `Parser` reads back as the same nodes."""
    operator = OPERATORS[node.operator]
    if node.coefficient != 1:
        number = repr(float(node.coefficient))
        if node.operator == "constant" and node.value == 1:
            return FormattedText(number, _SIGN if number.startswith(_MINUS) else _ATOM, is_decimal=True)
        factor = format_node(node._replace(coefficient=1.0), *operands)
        return FormattedText(f"{number}{_TIMES}{factor.within(_SIGN)}", _PRODUCT)
    if node.operator == "constant":
        return FormattedText(str(node.value), _SIGN if node.value < 0 else _ATOM)
    match operator.form:
        case "leaf":
            return FormattedText(operator.symbol)
        case "call":
            return FormattedText(f"{operator.symbol}({', '.join(operand.text for operand in operands)})")
        case "prefix":
            return FormattedText(f"{operator.symbol}{operands[0].within(_SIGN)}", _SIGN)
        case "postfix":
            exponent = format_exponent(node) if node.operator == "power" else ""
            return FormattedText(f"{operands[0].within(_ATOM)}{operator.symbol}{exponent}", operator.precedence)
    left, right = operands
    is_number = right.precedence == _ATOM and right.text[0].isdigit()
    if operator.symbol == _TIMES and left.text == "-1" and not is_number:
        return FormattedText(f"{_MINUS}{right.within(_SIGN)}", _SIGN)
    first = left.within(operator.precedence)
    if operator.symbol == _TIMES and left.is_decimal:
        first += f"{_TIMES}1"  # a bare decimal would be the next factor's coefficient
    return FormattedText(f"{first} {operator.symbol} {right.within(operator.precedence + 1)}", operator.precedence)


def format_exponent(node: Node) -> str:
    """Write the exponent of a `power`."""
    return repr(int(node.value) if node.value == int(node.value) else float(node.value))


class _Pending(NamedTuple):
    """An element that waits for its last operand: an infix sign, a minus, a coefficient, or an open parenthesis."""

    position: int
    precedence: int  # an operator that binds no tighter completes the element; 0 waits for a closing parenthesis
    prefix: tuple[Node, ...] = ()  # the nodes to insert before its operands
    num_operands: int = 1
    coefficient: float = 1.0  # a factor on the first node's coefficient
    starts_term: bool = True  # whether a coefficient may follow
    num_commas: int = 0  # number of commas, each with another operand, that must follow


class Parser:
    """A precedence parser with an explicit stack, for a text of at most `MAX_NODES` nodes.

    `_nodes` holds the finished operands one after the other, and `_starts` the index at which each begins. The parser
    applies an operator to the latest operands by inserting it before the first of them.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens.tokenize(text)[::-1]  # the next one last
        self._functions, self._prefixes, self._suffixes = map(tokens.written_as, ("call", "prefix", "postfix"))
        self._nodes: list[Node] = []
        self._starts: list[int] = []
        self._pending: list[_Pending] = []

    def parse(self) -> tuple[Node, ...]:
        """Return the nodes of the one tree that the text is, in prefix order."""
        if self._tokens[-1].kind == "end":
            raise tokens.error_at(self._text, 0, "the expression is empty; expected something like log(y) - x / y")
        self._read_operand()
        while self._read_operator():
            self._read_operand()
        return tuple(self._nodes)

    def _error(self, culprit: tokens.Token | _Pending, problem: str) -> ExpressionError:
        return tokens.error_at(self._text, culprit.position, problem)

    def _read_operand(self) -> None:
        """Read signs, coefficients, functions and opening parentheses, up to and including the next leaf."""
        while True:
            token, sign = self._tokens.pop(), 1
            # A minus makes a literal, as in `-2`, but not in `-2^2`, which is `-(2^2)`.
            is_number = bool(self._tokens) and self._tokens[-1].kind in ("integer", "decimal")
            if token.text == _MINUS and is_number and self._tokens[-2].text not in tokens.POWER_SIGNS:
                token, sign = self._tokens.pop(), -1
            if token.kind == "integer":
                return self._add_leaf(Node("constant", sign * int(self._number(token))))
            if token.kind == "decimal":
                value = sign * self._number(token)
                if self._tokens[-1].text != _TIMES or (self._pending and not self._pending[-1].starts_term):
                    return self._add_leaf(Node("constant", 1, value))
                self._tokens.pop()
                self._pending.append(_Pending(token.position, _SIGN, coefficient=value))
            elif token.text in tokens.LEAVES:
                return self._add_leaf(Node(tokens.LEAVES[token.text].name))
            elif token.text in self._functions:
                function, parenthesis = self._functions[token.text], self._tokens.pop()
                if parenthesis.text != "(":
                    call = f"{token.text}({('y', 'x, y', 'x, y, 1')[function.arity - 1]})"
                    raise self._error(parenthesis, f"expected '(' after {token.text}, got {parenthesis}; write {call}")
                pending = _Pending(parenthesis.position, 0, (Node(function.name),), function.arity)
                self._pending.append(pending._replace(num_commas=function.arity - 1))
            elif token.text == "(":
                self._pending.append(_Pending(token.position, 0))
            elif token.text == _MINUS:
                self._pending.append(_Pending(token.position, _SIGN, _NEGATION, starts_term=False))
            elif token.text in self._prefixes:
                prefix = (Node(self._prefixes[token.text].name),)
                self._pending.append(_Pending(token.position, _SIGN, prefix, starts_term=False))
            elif token.kind == "name":
                raise self._error(token, tokens.unknown(token))
            else:
                expected = ", ".join([*tokens.LEAVES, "a number", "a function such as log(...)"])
                raise self._error(token, f"expected {expected} or '(', got {token}")

    def _number(self, token: tokens.Token) -> float:
        value = float(token.text)
        if token.kind == "integer" and value > MAX_INTEGER:
            raise self._error(token, f"the integer {token} is too large; float32 counts to {MAX_INTEGER} at most")
        if math.isinf(value):
            raise self._error(token, f"the number {token} is too large; expected a finite float64")
        return value

    def _add_leaf(self, node: Node) -> None:
        self._starts.append(len(self._nodes))
        self._nodes.append(node)

    def _read_operator(self) -> bool:
        """Read up to and including the next infix sign or comma; return whether there is one."""
        while True:
            token = self._tokens.pop()
            if token.text in (")", ",") or token.kind == "end":
                self._complete(1)
            if token.text in tokens.POWER_SIGNS:
                self._read_exponent()
            elif token.text in self._suffixes:
                suffix = self._suffixes[token.text]
                self._apply(_Pending(token.position, suffix.precedence, (Node(suffix.name),)))
            elif token.text == ")":
                if not self._pending:
                    raise self._error(token, "this ')' closes nothing; remove it, or open a '(' before it")
                if self._pending[-1].num_commas:
                    raise self._error(token, "expected ',' and another operand, got ')'")
                self._apply(self._pending.pop())
            elif token.text == "," and self._pending and (num_commas := self._pending[-1].num_commas):
                self._pending[-1] = self._pending[-1]._replace(num_commas=num_commas - 1)
                return True
            elif token.text in tokens.INFIX:
                operator = tokens.INFIX[token.text]
                self._complete(operator.precedence)
                pending = _Pending(token.position, operator.precedence, (Node(operator.name),), num_operands=2)
                self._pending.append(pending._replace(starts_term=operator.precedence == _SUM))
                return True
            elif token.kind == "end":
                if self._pending:
                    raise self._error(self._pending[-1], "this '(' is never closed; expected a ')' after it")
                return False
            elif token.kind == "name" and token.text not in tokens.LEAVES | self._functions:
                raise self._error(token, tokens.unknown(token))
            else:
                expected = f"expected one of {tokens.signs()} or the end"
                raise self._error(token, f"{expected}, got {token}; to multiply, write {_TIMES}")

    def _read_exponent(self) -> None:
        token, sign = self._tokens.pop(), 1
        if token.text == _MINUS:
            token, sign = self._tokens.pop(), -1
        if token.kind not in ("integer", "decimal"):
            raise self._error(token, f"an exponent that is no constant, got {token}; write a number, as in y^0.7")
        exponent = sign * self._number(token)
        if exponent != 2 and not is_exponent(exponent):
            limits = f"other than 0, of at most {MAX_INTEGER} in magnitude"
            raise self._error(token, f"the exponent {token} is out of range; expected a number {limits}")
        if self._tokens[-1].text in tokens.POWER_SIGNS:
            raise self._error(self._tokens[-1], "a power of a power needs parentheses; write (y^2)^2")
        node = Node("square") if exponent == 2 else Node("power", exponent)
        self._apply(_Pending(token.position, OPERATORS["power"].precedence, (node,)))

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
