"""Texts for the parser: expressions by the grammar, broken ones, and nonsense."""

import random
from collections.abc import Iterator
from functools import partial

from glojax.expressions import MAX_INTEGER, MAX_NODES, OPERATORS, LossTree, Node

#: What a text is cut into and put together from, with look-alikes and what has broken parsers before.
PIECES = (
    *("x", "y", "log", "sqrt", "log(", "sqrt(", "(", ")", "+", "-", "*", "/", "^2", "**2", "^", "**", " ", "\n", "\t"),
    *("0", "1", "2", "-1", "007", "0.5", ".5", "5.", "1e5", "-2.5e-3", "1e-308", "1e308", "1e999", "1e-999"),
    *(str(MAX_INTEGER), str(MAX_INTEGER + 1), "9" * 5_000, "0." + "3" * 5_000, "nan", "inf", "exp", "X", "__import__"),
    *("max(", "aq(", "^0.7", "^-", "^3", "**-1.5"),
    *("\u0445", "\u0443", "\u2212", "\u00d7", "\u00b2", "\uff12", "\uff08", "\u0661", "\u200b", "\u00a0", "\ufeff"),
    *("\x00", "\x1b[31m", "\r", "\ud800", "\U0001f600", ",", ";", "=", "'", '"', "{", "}", "%", "$", "\\"),
)
_COEFFICIENTS = (-1.0, 0.0, 0.5, 2.5, -0.125, 1e-3, 1e300, -1e-300, 5e-324, 3.4e38, 2.0**-126)
_EXPONENTS = (0.5, 0.7, 1.0, 3.0, 7.0, 100.0, -1.0, -2.5, 1e-300, -1.2345678901234567e-100, MAX_INTEGER)
_INTEGERS = (0, 1, -1, 2, 3, -7, 10, 64, 997, MAX_INTEGER, -MAX_INTEGER)


def texts(seed: int) -> Iterator[str]:
    """Texts without end, the same ones for the same seed.

    Half of them are expressions, most of them small and few as large as there may be; the others are such texts with
    something changed, or pieces at random.
    """
    rng = random.Random(seed)
    while True:
        yield rng.choices((_expression, _changed, _nonsense), (5, 4, 1))[0](rng)


def _expression(rng: random.Random) -> str:
    """The text of a random tree, as it is printed, or with more spaces and parentheses than it needs."""
    text = str(LossTree(tuple(_nodes(rng, _size(rng)))))
    if rng.random() < 0.2:
        text = text.replace(" ", rng.choice(("", "  ", "\n")))
    if rng.random() < 0.1:
        depth = min(_size(rng), MAX_NODES)
        text = "(" * depth + text + ")" * depth
    return text


def _size(rng: random.Random) -> int:
    """1 every other time, at least 10 every tenth, at least 100 every hundredth."""
    return min(int(1 / (1 - rng.random())), MAX_NODES + 1)


def _nodes(rng: random.Random, size: int) -> list[Node]:
    """A tree of about so many nodes: of all operators or of few, bushy or deep, from few leaves or many."""
    operators = rng.sample(list(OPERATORS.values()), rng.randint(1, len(OPERATORS)))
    inner = [operator for operator in operators if operator.arity] or [OPERATORS["add"]]
    leaves = [operator for operator in operators if not operator.arity] or [OPERATORS["y"]]
    with_coefficients = rng.random() < 0.3
    deep = rng.random() < 0.5
    nodes: list[Node] = []
    missing = 1
    while missing:
        full = len(nodes) + missing >= size
        # With many leaves it becomes a chain of operators, with few a bush.
        leaf = full or (missing > 1 and rng.random() < (0.5 if deep else 0.2))
        operator = rng.choice(leaves if leaf else inner)
        values = {"constant": _INTEGERS, "power": _EXPONENTS}.get(operator.name, (0,))
        value = rng.choice(values)
        coefficient = rng.choice(_COEFFICIENTS) if with_coefficients and rng.random() < 0.5 else 1.0
        nodes.append(Node(operator.name, value, coefficient))
        missing += operator.arity - 1
    return nodes


def _changed(rng: random.Random) -> str:
    """An expression with a few changes."""
    text = _expression(rng)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        text = rng.choice(_CHANGES)(rng, text)
    return text


def _nonsense(rng: random.Random) -> str:
    return "".join(rng.choices(PIECES, k=_size(rng) % 50))


def _insert(rng: random.Random, text: str) -> str:
    place = rng.randint(0, len(text))
    return text[:place] + rng.choice(PIECES) + text[place:]


def _slice(rng: random.Random, text: str) -> slice:
    start = rng.randint(0, len(text))
    return slice(start, min(len(text), start + _size(rng)))


def _remove(rng: random.Random, text: str) -> str:
    part = _slice(rng, text)
    return text[: part.start] + text[part.stop :]


def _repeat(rng: random.Random, text: str, times: tuple[int, ...] = (2, 3, 10, 100, 10_000)) -> str:
    part = _slice(rng, text)
    most = 100_000 // (len(text[part]) + 1)
    return text[: part.start] + text[part] * min(rng.choice(times), most) + text[part.stop :]


def _replace(rng: random.Random, text: str) -> str:
    part = _slice(rng, text)
    return text[: part.start] + rng.choice(PIECES) + text[part.stop :]


def _exchange(rng: random.Random, text: str) -> str:
    """Another of its pieces wherever one occurs."""
    old, new = rng.sample(PIECES[:20], 2)
    return text.replace(old, new)


def _wrap(rng: random.Random, text: str) -> str:
    """In powers, roots or quotients, again and again."""
    around = rng.choice(("({})^2", "sqrt({})", "log(2 + {})", "({0}) / ({0})", "(({0})^2)^2 / ({0})", "x - ({})"))
    for _ in range(rng.randint(1, 10)):
        if len(text) < 2_000:
            text = around.format(text)
    return text


def _join(rng: random.Random, text: str) -> str:
    return text + rng.choice((" + ", " - ", " * ", " / ", "", "(")) + _expression(rng)


_CHANGES = (_insert, _remove, _repeat, partial(_repeat, times=(2,)), _replace, _exchange, _wrap, _join)
