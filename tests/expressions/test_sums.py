from fractions import Fraction

import pytest

from glojax.expressions import MAX_INTEGER, Node
from glojax.expressions.bounds import Bounds
from glojax.expressions.sums import (
    UNIT,
    Atom,
    Power,
    Sum,
    TooLargeError,
    add,
    collect,
    guards,
    limited,
    scale,
    sum_bounds,
)

FINITE = Atom((Node("x"),), Bounds(0.0, 1.0))
NONZERO = Atom((Node("y"),), Bounds(0.5, 1.0))
INFINITE = Atom((Node("log"), Node("x")), Bounds(-float("inf"), float("inf")))
ROOT = Atom((Node("sqrt"), Node("y")), Bounds(0.5, 1.0), radicand=(frozenset([((NONZERO, 0), 1)]), 4))


def power(atom: Atom, exponent: int = 1, level: int = 0) -> Power:
    return (atom, level), exponent


def test_numbers_have_a_limit() -> None:
    assert limited(Fraction(2, 3), -2) == Fraction(9, 4)
    assert limited(-1, 10**9) == 1
    for value, exponent in ((2, 10**9), (Fraction(1, 10), 20), (2**65, 1)):
        with pytest.raises(TooLargeError):
            limited(value, exponent)


def test_an_exponent_has_a_limit() -> None:
    with pytest.raises(TooLargeError):
        collect([power(NONZERO, MAX_INTEGER), power(NONZERO)], 1)


def test_equal_terms_are_added() -> None:
    term = frozenset([power(FINITE)])
    assert add({term: 1, UNIT: 2}, {term: Fraction(1, 2)}) == {term: Fraction(3, 2), UNIT: 2}
    assert add({term: 1, UNIT: 2}, {term: -1}) == {UNIT: 2}


def test_infinite_terms_that_cancel_leave_a_guard() -> None:
    term = frozenset([power(INFINITE), power(FINITE)])
    assert add({term: 1}, {term: -1}) == guards([power(INFINITE)])
    assert scale({term: 3, UNIT: 1}, 0) == guards([power(INFINITE)])


def test_a_guard_has_no_other_coefficient_than_one() -> None:
    guard = guards([power(INFINITE)])
    assert scale(guard, -7) == add(guard, guard) == guard


def test_zero_times_something_finite_needs_no_guard() -> None:
    assert guards([power(FINITE), power(NONZERO, -2)]) == {}
    assert len(guards([power(FINITE, level=1), power(INFINITE)])) == 2


def test_equal_factors_are_collected() -> None:
    powers = [power(NONZERO, 3), power(FINITE), power(NONZERO, -3), power(FINITE, level=1)]
    assert collect(powers, 5) == (frozenset([power(FINITE), power(FINITE, level=1)]), 5)


@pytest.mark.parametrize(("exponent", "expected"), [(2, (0, 1, 4)), (3, (1, 1, 4)), (-1, (1, -1, Fraction(1, 4)))])
def test_squares_of_a_root_become_its_radicand(exponent: int, expected: tuple[int, int, Fraction]) -> None:
    root, radicand, coefficient = expected
    powers = [power(ROOT)] * root + [power(NONZERO, radicand)]
    assert collect([power(ROOT, exponent)], 1) == (frozenset(powers), coefficient)


def test_a_root_may_be_asked_to_stay_below() -> None:
    assert collect([power(ROOT, -1)], 1, below=[ROOT]) == (frozenset([power(ROOT, -1)]), 1)


def test_bounds_of_a_sum() -> None:
    terms: Sum = {frozenset([power(FINITE), power(NONZERO, -2)]): -2, UNIT: 1}
    assert sum_bounds(terms) == (-7.0, 1.0)
    assert not sum_bounds({frozenset([power(FINITE, level=1)]): 1}).finite
