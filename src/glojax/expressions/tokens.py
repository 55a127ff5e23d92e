"""The vocabulary of expressions, the tokenizer, and errors that point into the text."""

import re
import unicodedata
from functools import cache
from typing import Final, NamedTuple

from glojax.errors import ExpressionError
from glojax.expressions.operators import MAX_NODES, OPERATORS, Operator

#: The largest numbers of tokens and of characters in a text. A node takes at most eight tokens on average, as
#: `(-0.5*y^-1.5)` does for its power, and a number at most 24 characters.
MAX_TOKENS: Final = 8 * MAX_NODES
MAX_TEXT_LENGTH: Final = 60 * MAX_NODES


def written_as(form: str) -> dict[str, Operator]:
    """Return the operators of a form (see `Operator.form`), registered ones included, by their symbols."""
    return {each.symbol: each for each in OPERATORS.values() if each.symbol and each.form == form}


LEAVES: Final = written_as("leaf")
INFIX: Final = written_as("infix")
#: What precedes an exponent.
POWER_SIGNS: Final = (OPERATORS["power"].symbol, "**")
#: What others call an element.
_ELSEWHERE: Final = {"ln": "log", "maximum": "max", "minimum": "min"} | dict.fromkeys(
    ("pow", "power", "square", "sqr"), f"y{OPERATORS['square'].symbol}"
)


@cache
def _pattern(signs: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of one token, or of what is none."""
    signs_pattern = "|".join(map(re.escape, sorted(signs, key=len, reverse=True)))
    return re.compile(
        r"(?P<space>\s+)"
        r"|(?P<decimal>(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"
        r"|(?P<integer>[0-9]+)"
        r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*)"
        rf"|(?P<sign>{signs_pattern})"
        r"|(?P<end>\Z)"
        r"|(?P<unexpected>.)"
    )


def signs() -> str:
    """Return the signs that follow an operand, for messages."""
    return " ".join([*INFIX, *(symbol for symbol in written_as("postfix") if len(symbol) == 1)])


def names() -> str:
    """Return all names, for messages."""
    return ", ".join([*LEAVES, *written_as("call")])


def unknown(name: "Token") -> str:
    """Return the problem with a name that is none, and what to write instead where it is plain what is meant."""
    last = name.text.rpartition(".")[2].lower()  # of np.log
    meant = _ELSEWHERE.get(last, last if last in written_as("call") else "")
    hint = f", for which write {meant}" if meant else ""
    return f"unknown name {name}{hint}; the only names are {names()}"


class Token(NamedTuple):
    """A piece of a text: a `decimal`, `integer`, `name` or `sign`, or the `end` after the last one."""

    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        """Return the token as messages show it."""
        if self.kind == "end":
            return "the end"
        return repr(self.text) if len(self.text) <= 20 else f"{self.text[:20]!r}..."


def tokenize(text: str) -> list[Token]:
    """Cut a text of at most `MAX_TEXT_LENGTH` characters into at most `MAX_TOKENS` tokens and the end."""
    if len(text) > MAX_TEXT_LENGTH:
        raise ExpressionError(
            f"The expression has {len(text):,} characters; at most {MAX_TEXT_LENGTH:,} are read. Write a shorter one."
        )
    tokens: list[Token] = []
    own_signs = (symbol[0] for form in ("infix", "prefix", "postfix") for symbol in written_as(form))
    for match in _pattern((*dict.fromkeys(own_signs), "**", "(", ")", ",")).finditer(text):
        token = Token(match.lastgroup or "", match[0], match.start())
        if token.kind == "unexpected":
            name = f"{unicodedata.name(token.text, 'unnamed')}, U+{ord(token.text):04X}"
            shown = f"{token.text!r} ({name})" if token.text.isprintable() else f"({name})"
            problem = f"unexpected character {shown}; expected names such as log, numbers, {signs()} and ( )"
            raise error_at(text, token.position, problem)
        if len(tokens) == MAX_TOKENS and token.kind not in ("space", "end"):
            raise error_at(text, token.position, f"too long; expected at most {MAX_TOKENS:,} names, numbers and signs")
        if token.kind != "space":
            tokens.append(token)
    return tokens


def error_at(text: str, position: int, problem: str) -> ExpressionError:
    """Return an error whose first line says what is wrong and whose other two lines point at the character."""
    start, end = max(0, position - 40), position + 30
    window = "".join(character if character.isprintable() else " " for character in text[start:end])
    left, right = "..." if start else "", "..." if end < len(text) else ""
    pointer = " " * (len(left) + position - start)
    return ExpressionError(f"At character {position + 1}: {problem}.\n  {left}{window}{right}\n  {pointer}^")
