"""Bounds of a loss's values: interval arithmetic over all x and y.

In the domain "probability" the label `x` lies in [0, 1] (soft labels, and 0 for every wrong class), the probability `y`
in (0, 1], from the smallest normal float32 up; below it, only the logarithm of y goes on to fall. In the domain "real"
target and prediction are any finite float32. The bounds hold for float32 arithmetic,
however a compiler fuses it: an inexact end of an interval moves outward, the bounds of a result that may underflow
include zero, and a result that may overflow has no bounds. Nor has an analytic quotient, or the value of a registered
operator. Interval arithmetic does not know that both operands of `x - x` are the same number: the bounds are true, but
not always tight.
"""

import math
import struct
from typing import Final, Literal, NamedTuple, TypeAlias

from glojax.expressions.operators import Node

#: Where x and y may lie: a label and its probability, or any two numbers.
Domain: TypeAlias = Literal["probability", "real"]

#: Smallest normal and largest finite float32. Accelerators flush smaller numbers to zero.
FLOAT32_MIN: Final = 2.0**-126
FLOAT32_MAX: Final = (2.0 - 2.0**-23) * 2.0**127

_MARGIN: Final = 1e-6  # An inexact end moves outward by this relative distance: logarithms differ between devices.

# exp overflows in float32 from 88.72 on.
_LARGEST_EXPONENT: Final = 88.0


class Bounds(NamedTuple):
    """An interval that holds every value of an expression; infinite if the expression is not provably finite."""

    lower: float
    upper: float

    @property
    def finite(self) -> bool:
        """Whether the expression and all its subexpressions are finite everywhere."""
        return self.lower > -math.inf

    @property
    def nonzero(self) -> bool:
        """Whether the expression is provably finite and never zero."""
        return self.finite and (self.lower > 0 or self.upper < 0)


_UNKNOWN: Final = Bounds(-math.inf, math.inf)


def node_bounds(node: Node, *operands: Bounds, domain: Domain = "probability") -> Bounds:
    """Return the bounds of a node's value, from those of its operands."""
    if domain == "real" and node.operator in ("x", "y"):
        bounds = Bounds(-FLOAT32_MAX, FLOAT32_MAX)
    else:
        bounds = _operator_bounds(node, *operands) if all(operand.finite for operand in operands) else _UNKNOWN
    return bounds if node.coefficient == 1 else _product(bounds, _float32(node.coefficient))


def _operator_bounds(node: Node, *operands: Bounds) -> Bounds:
    match node.operator, operands:
        case "x", _:
            return Bounds(0.0, 1.0)
        case "y", _:
            return Bounds(FLOAT32_MIN, 1.0)
        case "constant", _:
            return _float32(node.value)
        case "add", (a, b):
            return _float32(a.lower + b.lower, a.upper + b.upper)
        case "subtract", (a, b):
            return _float32(a.lower - b.upper, a.upper - b.lower)
        case "multiply", (a, b):
            return _product(a, b)
        case "divide", (a, b) if b.nonzero:
            return _float32(*(p / q for p in a for q in b))
        case "square", (a,):
            return _float32(a.lower**2, a.upper**2, *([0.0] if a.lower <= 0 <= a.upper else []))
        case "log", (a,) if a.lower > 0:
            return _float32(math.log(a.lower), math.log(a.upper))
        case "power", (a,) if a.lower > 0 or (a.lower == 0 and node.value > 0):
            return _float32(*_powers(a, node.value))
        case "sqrt", (a,) if a.lower >= 0:
            return _float32(math.sqrt(a.lower), math.sqrt(a.upper))
        case "exp", (a,) if a.upper <= _LARGEST_EXPONENT:
            return _float32(math.exp(a.lower), math.exp(a.upper))
        case "abs", (a,):
            return _float32(abs(a.lower), abs(a.upper), *([0.0] if a.lower <= 0 <= a.upper else []))
        case "tanh", (a,):
            return _float32(math.tanh(a.lower), math.tanh(a.upper))
        case (("sin" | "cos"), _):
            return Bounds(-1 - _MARGIN, 1 + _MARGIN)
        case "max", (a, b):
            return _float32(max(a.lower, b.lower), max(a.upper, b.upper))
        case "min", (a, b):
            return _float32(min(a.lower, b.lower), min(a.upper, b.upper))
    return _UNKNOWN


def _powers(a: Bounds, exponent: float) -> list[float]:
    try:
        return [end**exponent for end in a]
    except OverflowError:
        return [math.inf]


def _product(a: Bounds, b: Bounds) -> Bounds:
    return _float32(*(p * q for p in a for q in b)) if a.finite and b.finite else _UNKNOWN


def _float32(*values: float) -> Bounds:
    """Return the interval from the least to the greatest of the values, extended by the rounding of float32."""
    lower, upper = min(values), max(values)
    if not -FLOAT32_MAX <= lower <= upper <= FLOAT32_MAX:
        return _UNKNOWN
    lower -= _MARGIN * abs(lower) * _inexact(lower)
    upper += _MARGIN * abs(upper) * _inexact(upper)
    if max(-lower, upper) > FLOAT32_MAX:
        return _UNKNOWN
    # Between zero and the smallest normal number, rounding is coarse or gives zero.
    if 0 < abs(lower) < FLOAT32_MIN:
        lower = 0.0 if lower > 0 else -FLOAT32_MIN
    if 0 < abs(upper) < FLOAT32_MIN:
        upper = 0.0 if upper < 0 else FLOAT32_MIN
    return Bounds(lower, upper)


def _inexact(value: float) -> bool:
    return struct.unpack("f", struct.pack("f", value)) != (value,)
