"""Sums of products of powers: the normal form behind `canonical`.

A sum maps terms to rational coefficients. A term is a product of factors with exponents. A factor is an atom (a leaf, a
logarithm, a root, a registered operator, a sum of several terms: a value that no rule takes apart) at a level:

- level 0 is the atom `a`; only if it is provably finite and never zero may its exponent be negative;
- level 1 is `1 / a`, where `a` may be zero or infinite, so that `a / a` is not 1;
- level 2 is `1 / (1 / a)` for such an `a`; but `1 / (1 / (1 / a))` is `1 / a`, infinities and all.

Zero is an atom too, `NOTHING`. At level 0 it makes a *guard*: `0 * a` is 0, except where `a` is infinite or undefined;
there it is undefined, as `a - a` is. At level 1 it makes `1 / 0`. Terms with a zero always have the coefficient 1.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial, reduce
from typing import Final, TypeAlias

from glojax.expressions.bounds import Bounds, node_bounds
from glojax.expressions.operators import MAX_INTEGER, Node

Nodes: TypeAlias = tuple[Node, ...]


class TooLargeError(Exception):
    """A number exceeds the limit of exact arithmetic on canonical forms."""


@dataclass(frozen=True, eq=False, slots=True)
class Atom:
    """A value that no rule takes apart; equal only to itself."""

    nodes: Nodes
    bounds: Bounds
    addends: "Sum | None" = None  # the sum, if the atom is a sum of several terms
    radicand: "tuple[Term, Number] | None" = None  # if the atom is the root of a provably nonnegative value


Number: TypeAlias = Fraction | int
Factor: TypeAlias = tuple[Atom, int]
Power: TypeAlias = tuple[Factor, int]
Term: TypeAlias = frozenset[Power]
Sum: TypeAlias = dict[Term, Number]

#: The term of a constant.
UNIT: Final[Term] = frozenset()
#: Zero, as an atom and as a factor.
NOTHING: Final = Atom((Node("constant", 0),), Bounds(0.0, 0.0))
ZERO: Final[Factor] = (NOTHING, 0)
#: The term 0 / 0, which is undefined everywhere.
UNDEFINED: Final[Term] = frozenset([(ZERO, 1), ((NOTHING, 1), 1)])

_ADD, _MULTIPLY, _DIVIDE, _SQUARE = map(Node, ("add", "multiply", "divide", "square"))

# Intermediate numbers may exceed MAX_INTEGER. Those of a tree in canonical form reach 2**48 at most.
_LARGEST: Final = 2**64


def limited(value: Number, exponent: int = 1) -> Number:
    """Return the value to an integer power, unless its numerator or denominator is too large."""
    if value in (1, -1):
        return 1 if value == 1 or exponent % 2 == 0 else -1
    if abs(exponent) > _LARGEST.bit_length():
        raise TooLargeError
    result = value if exponent == 1 else Fraction(value) ** exponent
    if abs(result.numerator) > _LARGEST or result.denominator > _LARGEST:
        raise TooLargeError
    return result.numerator if result.denominator == 1 else result


def inverse(power: Power) -> Power:
    """Return one over a power."""
    (atom, level), exponent = power
    if atom.bounds.nonzero:
        return (atom, 0), -exponent
    return (atom, 2 if level == 1 else 1), exponent


def at_level(powers: Iterable[Power], level: int) -> list[Power]:
    """Return the powers of an atom's factors when the atom is at a level: inverted as many times as the level says."""
    powers = list(powers)
    for _ in range(level):
        powers = [inverse(power) for power in powers]
    return powers


def has_zero(term: Term) -> bool:
    """Return whether a zero is among the factors, or divides them."""
    return any(factor[0] is NOTHING for factor, _ in term)


def guards(powers: Iterable[Power]) -> Sum:
    """Return zero times a product: a guard for each factor, or addend of one, that may be infinite or undefined."""
    found: Sum = {}
    waiting = list(powers)
    while waiting:
        (atom, level), _ = waiting.pop()
        if level == 0 and atom.addends is not None:
            waiting += [power for term in atom.addends for power in term]
        elif level == 1 or not atom.bounds.finite:
            found[frozenset([(ZERO, 1), ((atom, level), 1)])] = 1
    return {UNDEFINED: 1} if UNDEFINED in found else found


def zero_product(terms: Sum) -> Term | None:
    """Return an empty sum, or one of guards alone, as one term: zero times the guarded factors. Else return None."""
    return frozenset([(ZERO, 1)]).union(*terms) if all((ZERO, 1) in term for term in terms) else None


def scale(terms: Sum, factor: Number) -> Sum:
    """Return the sum times a constant."""
    if factor == 0:
        return guards(power for term in terms for power in term)
    return {term: 1 if has_zero(term) else limited(value * factor) for term, value in terms.items()}


def add(left: Sum, right: Sum) -> Sum:
    """Add two sums. Terms that cancel leave guards: infinity minus infinity is not 0."""
    total = dict(left)
    for term, value in right.items():
        old = total.get(term)
        if old is None or has_zero(term):
            total[term] = value
            continue
        if (old < 0) != (value < 0):
            total |= guards(term)
        total[term] = limited(old + value)
        if not total[term]:
            del total[term]
    return {UNDEFINED: 1} if UNDEFINED in total else total


def collect(powers: Iterable[Power], value: Number, below: Container[Atom] = ()) -> tuple[Term, Number]:
    """Return the product of powers and a constant as one term and its coefficient.

    Equal factors are collected, and the square of a root becomes its radicand: the exponent of a root is 0 or 1, or 0
    or -1 for the roots in `below`.
    """
    exponents: dict[Factor, int] = {}
    waiting = list(powers)
    while waiting:
        factor, exponent = waiting.pop()
        exponent += exponents.pop(factor, 0)
        atom, level = factor
        if atom.radicand is not None and exponent not in (0, -1 if atom in below else 1):
            squares = (exponent + (atom in below)) // 2
            exponent -= 2 * squares
            term, coefficient = atom.radicand
            waiting += [(other, each * squares) for other, each in at_level(term, level)]
            value = limited(value * limited(coefficient, -squares if level == 1 else squares))
        if abs(exponent) > MAX_INTEGER:
            raise TooLargeError
        if exponent:
            exponents[factor] = exponent
    zeros = [level for atom, level in exponents if atom is NOTHING]
    if 1 in zeros and len(zeros) > 1:
        return UNDEFINED, 1
    if zeros:
        return _with_zero(exponents.items(), min(zeros)), 1
    return frozenset(exponents.items()), value


def _with_zero(powers: Iterable[Power], level: int) -> Term:
    """Return a product with a zero at a level, without the factors that are never zero, infinite or undefined."""
    powers = list(powers)
    kept = [power for power in powers if power[0][1] < level and not power[0][0].bounds.nonzero]
    zeroed = guards(((atom, each - level), 1) for (atom, each), _ in powers if each >= level)
    if UNDEFINED in zeroed:
        return UNDEFINED
    return frozenset([*kept, *at_level(zero_product(zeroed) or (), level)])


def sum_bounds(terms: Sum) -> Bounds:
    """Return the bounds of a sum, which do not depend on the order of its terms."""
    parts = [_term_bounds(term, float(value)) for term, value in terms.items()]
    return reduce(partial(node_bounds, _ADD), sorted(parts), Bounds(0.0, 0.0))


def _term_bounds(term: Term, value: float) -> Bounds:
    parts = []
    for (atom, level), exponent in term:
        part = atom.bounds
        for bit in bin(abs(exponent))[3:]:
            part = node_bounds(_SQUARE, part)
            if bit == "1":
                part = node_bounds(_MULTIPLY, part, atom.bounds)
        if level or exponent < 0:
            part = node_bounds(_DIVIDE, Bounds(1.0, 1.0), part)
        parts.append(part)
    product = reduce(partial(node_bounds, _MULTIPLY), sorted(parts), Bounds(1.0, 1.0))
    return product if value == 1 else node_bounds(_MULTIPLY, Bounds(value, value), product)
