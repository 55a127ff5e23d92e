"""The vocabulary of expressions, the tokenizer, and errors that point into the text."""

import math
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from glojax.errors import ExpressionError
from glojax.expressions.nodes import MAX_NODES
from glojax.expressions.operators import MAX_INTEGER, OPERATORS, Operator

# A node takes at most eight tokens on average, as `(-0.5*log(y))` does, and a number at most 24 characters.
#: The largest number of names, numbers and signs in a text.
MAX_TOKENS: Final = 8 * MAX_NODES
#: The largest number of characters in a text.
MAX_TEXT_LENGTH: Final = 40 * MAX_NODES

LEAVES: Final = {each.symbol: each for each in OPERATORS.values() if each.arity == 0 and each.symbol}
INFIX: Final = {each.symbol: each for each in OPERATORS.values() if each.arity == 2}
#: The one operator whose text follows its operand: a sign and an exponent.
POWER: Final = OPERATORS["square"]
EXPONENT: Final = POWER.symbol[1:]
POWER_SIGNS: Final = (POWER.symbol[0], "**")
#: The signs, for messages.
SIGNS: Final = " ".join([*INFIX, POWER.symbol])

_SIGN: Final = "|".join(map(re.escape, sorted([*INFIX, *POWER_SIGNS, "(", ")", ","], key=len, reverse=True)))
_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<decimal>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"
    r"|(?P<integer>[0-9]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    rf"|(?P<sign>{_SIGN})"
)


def functions() -> dict[str, Operator]:
    """Return the operators that are written as function calls, registered ones included, by their symbols."""
    return {operator.symbol: operator for operator in OPERATORS.values() if operator.is_function}


def names() -> str:
    """Return all names, for messages."""
    return ", ".join([*LEAVES, *functions()])


class Token(NamedTuple):
    """A piece of a text.

    Attributes:
        kind: `decimal`, `integer`, `name`, `sign`, or `end` after the last one.
        text: The piece.
        position: Index of its first character.
    """

    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        """Return the token as messages show it."""
        if self.kind == "end":
            return "the end"
        return repr(self.text) if len(self.text) <= 20 else f"{self.text[:20]!r}..."


def tokenize(text: str) -> list[Token]:
    """Cut a text into tokens and append one of the kind `end`.

    Raises:
        ExpressionError: The text is longer than `MAX_TEXT_LENGTH`, has more than `MAX_TOKENS` tokens, or has a
            character with which no token begins.

    Example:
        >>> [token.text for token in tokenize("0.5*log(y)")]
        ['0.5', '*', 'log', '(', 'y', ')', '']
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise ExpressionError(
            f"The expression has {len(text):,} characters; at most {MAX_TEXT_LENGTH:,} are read. Write a shorter one."
        )
    tokens = list(islice(_tokens(text), MAX_TOKENS + 1))
    if tokens[-1].kind != "end":
        problem = f"too long; expected at most {MAX_TOKENS:,} names, numbers and signs"
        raise error_at(text, tokens[-1].position, problem)
    return tokens


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            character = text[position]
            name = f"{unicodedata.name(character, 'unnamed')}, U+{ord(character):04X}"
            shown = f"{character!r} ({name})" if character.isprintable() else f"({name})"
            raise error_at(
                text, position, f"unexpected character {shown}; expected {names()}, numbers, {SIGNS} and ( )"
            )
        if match.lastgroup and match.lastgroup != "space":
            yield Token(match.lastgroup, match[0], position)
        position = match.end()
    yield Token("end", "", position)


def integer(text: str, token: Token) -> int:
    """Return the value of an integer token.

    Raises:
        ExpressionError: The value is beyond `MAX_INTEGER`.
    """
    digits = token.text.lstrip("0") or "0"
    if len(digits) > len(str(MAX_INTEGER)) or int(digits) > MAX_INTEGER:
        problem = f"the integer {token} is too large; float32 counts to {MAX_INTEGER} at most"
        raise error_at(text, token.position, problem)
    return int(digits)


def decimal(text: str, token: Token) -> float:
    """Return the value of a decimal token.

    Raises:
        ExpressionError: The value is beyond float64.
    """
    value = float(token.text)
    if not math.isfinite(value):
        raise error_at(text, token.position, f"the number {token} is too large; expected a finite float64")
    return value


def error_at(text: str, position: int, problem: str) -> ExpressionError:
    """Return an error whose first line says what is wrong and whose other two lines point at the character.

    Example:
        >>> print(error_at("x * z", 4, "unknown name 'z'; expected x or y"))
        At character 5: unknown name 'z'; expected x or y.
          x * z
              ^
    """
    start, end = max(0, position - 40), position + 30
    window = "".join(character if character.isprintable() else " " for character in text[start:end])
    left, right = "..." if start else "", "..." if end < len(text) else ""
    pointer = " " * (len(left) + position - start)
    return ExpressionError(f"At character {position + 1}: {problem}.\n  {left}{window}{right}\n  {pointer}^")
