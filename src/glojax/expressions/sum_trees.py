"""The tree of a normal form of `glojax.expressions.sums`: in one order, with few nodes."""

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from glojax.expressions import sums
from glojax.expressions.operators import MAX_NODES, Node
from glojax.expressions.sums import Atom, Nodes, Number, Sum, Term

# The search for the shortest tree writes longer ones, but each power of a power may be many times its own size.
_MOST_NODES: Final = 4 * MAX_NODES
# The number of factors that are tried for a sum with fractions, the smallest first.
_MOST_FACTORS: Final = 8


def write_sum(terms: Sum, absorb: bool = True) -> Nodes:
    """Return the tree of a sum: the added terms from small to large, a constant last, and then the subtracted terms.

    With `absorb`, the coefficient of a term may be multiplied into a sum among its factors, where that is shorter:
    `x * (1 - y)` for -1 times `x * (y - 1)`.
    """
    best = _write_parts(terms, absorb)
    if any(value.denominator > 1 for value in terms.values()):  # 3 / 4 - x / 4 is (3 - x) / 4
        for value in sorted({_magnitude(value) for value in terms.values()} - {1})[:_MOST_FACTORS]:
            inner = _write_parts(sums.scale(terms, sums.limited(value, -1)), absorb)
            best = min(best, _write_product([_Row(0, 1, inner)], value), key=len)
    return best


class _Part(NamedTuple):
    """A value times one term, or times several terms with the coefficients 1 and -1."""

    value: Number
    terms: Sum

    def write(self, value: Number, absorb: bool) -> Nodes:
        """Return the tree of the terms times another value."""
        if len(self.terms) == 1:
            return _write_term(next(iter(self.terms)), value, absorb)
        return _write_product([_Row(0, 1, _write_parts(self.terms, absorb))], value)


def _parts(terms: Sum, absorb: bool) -> list[_Part]:
    """Group the terms: all guards in one part, and terms with equal coefficients in one where that is shorter."""
    guards = {term: value for term, value in terms.items() if sums.zero_product({term: value})}
    parts = [_Part(1, {sums.zero_product(guards) or sums.UNIT: 1})] if guards else []
    groups: dict[Number, list[_Part]] = {}
    for term, value in terms.items():
        if term not in guards:
            groups.setdefault(_magnitude(value), []).append(_Part(value, {term: 1}))
    for size, group in groups.items():
        if size != 1 and len(group) > 1:
            value = max(part.value for part in group)
            together = _Part(value, {term: 1 if part.value == value else -1 for part in group for term in part.terms})
            apart = sum(1 + len(part.write(size, absorb)) for part in group)
            if len(together.write(size, absorb)) + 1 < apart:
                parts.append(together)
                continue
        parts += group
    return parts


def _write_parts(terms: Sum, absorb: bool) -> Nodes:
    parts = []
    for part in _parts(terms, absorb):
        nodes = part.write(_magnitude(part.value), absorb)
        parts.append((part.value < 0, sums.UNIT in part.terms and len(part.terms) == 1, by_size(nodes), part))
    if not parts:
        return sums.NOTHING.nodes
    parts.sort(key=lambda each: each[:3])
    operands = [nodes for _, _, (_, nodes), _ in parts]
    if parts[0][0]:  # all are subtracted: begin with the one whose sign costs least
        negated = [part.write(part.value, absorb) for *_, part in parts]
        first = min(range(len(operands)), key=lambda index: len(negated[index]) - len(operands[index]))
        del operands[first]
        operands.insert(0, negated[first])
    return _chain(operands, ["subtract" if negative else "add" for negative, *_ in parts[1:]])


def _write_term(term: Term, value: Number, absorb: bool) -> Nodes:
    best = _write_scaled(term, value, absorb)
    if value == 1 and len(term) == 1:
        return best
    below: list[Atom] = []
    for (atom, _), exponent in sorted(term, key=lambda power: by_size(power[0][0].nodes)):
        if atom.radicand is not None and atom.bounds.nonzero and exponent == 1:  # sqrt(a) / a is 1 / sqrt(a)
            radicand, coefficient = atom.radicand
            powers = [*term, ((atom, 0), -2), *radicand]
            other, other_value = sums.collect(powers, value * coefficient, [*below, atom])
            nodes = _write_scaled(other, other_value, absorb)
            if len(nodes) <= len(best):
                best, term, value = nodes, other, other_value
                below.append(atom)
    return best


def _write_scaled(term: Term, value: Number, absorb: bool) -> Nodes:
    rows = [_Row(1 if exponent < 0 else level, abs(exponent), atom.nodes) for (atom, level), exponent in term]
    best = _write_product(rows, value)
    if not absorb or value == 1:
        return best
    for row, ((atom, _), exponent) in zip(rows, term, strict=True):
        if atom.addends is not None and exponent % 2:
            scaled = sums.scale(atom.addends, sums.limited(value, -1) if row.number == 1 else value)
            absorbing = [_Row(row.number, 1, write_sum(scaled, absorb=False)), row._replace(exponent=row.exponent - 1)]
            nodes = _write_product([*absorbing, *(each for each in rows if each is not row)], 1)
            best = min(best, nodes, key=by_size)
    return best


class _Row(NamedTuple):
    """A power in row 0, 1 or 2 of `row 0 / (row 1 / row 2)`."""

    number: int
    exponent: int
    nodes: Nodes


def _write_product(powers: Sequence[_Row], value: Number) -> Nodes:
    """Return the tree of a constant times powers, by repeated squaring: `a^3 / b^2` is `a * (a / b)^2`."""
    if value == 1 and len(powers) == 1 and powers[0][:2] == (0, 1):
        return powers[0].nodes
    powers = sorted(powers, key=lambda power: by_size(power.nodes))
    above, below = value.numerator, value.denominator
    numbers = {power.number for power in powers}
    if above == -1 and 0 in numbers and (below != 1 or numbers == {0, 2}):
        above, below = 1, -below
    rows: list[Nodes] = [(), (), ()]
    for bit in reversed(range(max((power.exponent.bit_length() for power in powers), default=1))):
        if sum(map(bool, rows)) > 1:
            rows = [_quotient(*rows), (), ()] if rows[0] else [(), _quotient(rows[1], rows[2], ()), ()]
        rows = [(Node("square"), *nodes) if nodes else () for nodes in rows]
        for number, constant in enumerate((above, below, 1)):
            operands: list[Nodes] = [(Node("constant", constant),)] if bit == 0 and constant != 1 else []
            operands += [power.nodes for power in powers if power.number == number and power.exponent >> bit & 1]
            operands += [rows[number]] if rows[number] else []
            rows[number] = _chain(operands, ["multiply"] * (len(operands) - 1)) if operands else ()
    return _quotient(*rows)


def _quotient(top: Nodes, middle: Nodes, bottom: Nodes) -> Nodes:
    """Return the tree of `top / (middle / bottom)`, where no nodes stand for 1."""
    one = (Node("constant", 1),)
    if bottom:
        middle = (Node("divide"), *(middle or one), *bottom)
    if middle:
        top = (Node("divide"), *(top or one), *middle)
    return top or one


def by_size(nodes: Nodes) -> tuple[int, Nodes]:
    """Return the sort key of trees: their size, then their nodes."""
    return len(nodes), nodes


def _magnitude(value: Number) -> Number:
    return max(value, -value)


def _chain(operands: Sequence[Nodes], operators: Sequence[str]) -> Nodes:
    """Join operands from left to right."""
    if sum(map(len, operands)) > _MOST_NODES:
        raise sums.TooLargeError
    return (*map(Node, reversed(operators)), *chain.from_iterable(operands)) if operators else operands[0]
