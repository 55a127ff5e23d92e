"""Values and slopes of a loss's function f(x, y) in float64 NumPy, without compilation.

They are computed as trainings compute them (`glojax.losses.stable`), so that they are exact at both ends of [0, 1], and
an operand that does not change contributes 0 to a slope, even where the derivative is infinite
(`glojax.losses.operations`).
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from glojax.cpu_devices import cpu_device
from glojax.expressions import Domain, LossTree
from glojax.losses.operations import OPERATIONS
from glojax.losses.stable import CONSTANT, Instruction, run, stable

Values = NDArray[np.float64]


class Point(NamedTuple):
    """Values of f and their slopes in y, both [G]; None for slopes that are 0."""

    value: Values
    slope: Values | None = None


class _Rule(NamedTuple):
    """A function, and its derivative in each operand, a function of value and operands; None where it is 0."""

    function: Callable[..., Values]
    derivatives: tuple[Callable[..., Values | float] | None, ...]


_RULES: Final[dict[str, _Rule]] = {
    "log": _Rule(np.log, (lambda _, a: 1 / a,)),
    "square": _Rule(np.square, (lambda _, a: 2 * a,)),
    "sqrt": _Rule(np.sqrt, (lambda root, _: 0.5 / root,)),
    "add": _Rule(np.add, (lambda *_: 1.0, lambda *_: 1.0)),
    "subtract": _Rule(np.subtract, (lambda *_: 1.0, lambda *_: -1.0)),
    "multiply": _Rule(np.multiply, (lambda _, a, b: b, lambda _, a, b: a)),
    "divide": _Rule(np.divide, (lambda _, a, b: 1 / b, lambda quotient, a, b: -quotient / b)),
    "exp": _Rule(np.exp, (lambda value, _: value,)),
    "abs": _Rule(np.abs, (lambda _, a: np.sign(a),)),
    "tanh": _Rule(np.tanh, (lambda value, _: 1 - value * value,)),
    "sin": _Rule(np.sin, (lambda _, a: np.cos(a),)),
    "cos": _Rule(np.cos, (lambda _, a: -np.sin(a),)),
    "max": _Rule(np.maximum, (lambda _, a, b: np.heaviside(a - b, 0.5), lambda _, a, b: np.heaviside(b - a, 0.5))),
    "min": _Rule(np.minimum, (lambda _, a, b: np.heaviside(b - a, 0.5), lambda _, a, b: np.heaviside(a - b, 0.5))),
    "analytic_quotient": _Rule(
        lambda a, b: a / np.sqrt(1 + b * b),
        (lambda _, a, b: 1 / np.sqrt(1 + b * b), lambda quotient, a, b: -quotient * b / (1 + b * b)),
    ),
    "power": _Rule(np.power, (lambda _, a, exponent: exponent * np.power(a, exponent - 1), None)),
    "log power": _Rule(
        lambda a, log, exponent: np.exp(exponent * log), (None, lambda value, a, log, exponent: exponent * value, None)
    ),
    "power complement": _Rule(
        lambda a, log, exponent: -np.expm1(exponent * log),
        (None, lambda _, a, log, exponent: -exponent * np.exp(exponent * log), None),
    ),
}


def leaves_of(labels: Values, probs: Values, complements: Values, prob_epsilon: float = 0.0) -> dict[str, Values]:
    """Return the leaves for x = `labels`, y = `probs` and 1 - y = `complements`, all [G]; see `Softmax.leaves`."""
    near_one = probs > 0.5
    clipped = np.clip(probs, prob_epsilon, 1 - prob_epsilon)
    clipped_complements = np.where(near_one, np.maximum(complements, prob_epsilon), 1 - clipped)
    return {
        "x": labels,
        "y": probs,
        "complement": complements,
        "difference": np.where(near_one, complements - (1 - labels), labels - probs),
        "log_y": np.where(near_one, np.log1p(-complements), np.log(probs)),
        "log_complement": np.where(near_one, np.log(complements), np.log1p(-probs)),
        "clipped_y": clipped,
        "clipped_complement": clipped_complements,
        "clipped_difference": np.where(near_one, clipped_complements - (1 - labels), labels - clipped),
    }


def slopes_of(leaves: Mapping[str, Values]) -> dict[str, Values]:
    """Return the slopes of the leaves in y, but x; those of the clipped ones are never 0, see `Softmax.slopes`."""
    y, complement = leaves["y"], leaves["complement"]
    scale = np.where(y > 0.5, leaves["clipped_complement"] / complement, 1)
    rise, clipped_rise = np.ones_like(y), leaves["clipped_y"] / y * scale
    return {
        "y": rise,
        "complement": -rise,
        "difference": -rise,
        "log_y": 1 / y,
        "log_complement": -1 / complement,
        "clipped_y": clipped_rise,
        "clipped_complement": -clipped_rise,
        "clipped_difference": -clipped_rise,
    }


def evaluate_tree(
    tree: LossTree,
    leaves: Mapping[str, Values],
    slopes: Mapping[str, Values] | None = None,
    domain: Domain = "probability",
) -> Point:
    """Return f, and its slopes where those of the leaves are given; NumPy's warnings are the caller's."""

    def point(instruction: Instruction, *operands: Point) -> Point:
        name = instruction.name
        if name == CONSTANT:
            result = Point(np.full_like(leaves["y"], instruction.value))
        elif operands:
            result = _apply(name, operands)
        else:
            result = Point(leaves[name], None if slopes is None else slopes.get(name))
        if instruction.coefficient == 1:
            return result
        factor = instruction.coefficient
        return Point(factor * result.value, None if result.slope is None else factor * result.slope)

    return run(stable(tree, domain), point)


def _apply(name: str, operands: tuple[Point, ...]) -> Point:
    values = [operand.value for operand in operands]
    if name not in _RULES:
        return _apply_operation(name, operands)
    function, derivatives = _RULES[name]
    value = function(*values)
    total: Values | None = None
    for operand, derivative in zip(operands, derivatives, strict=True):
        if operand.slope is not None and derivative is not None:
            part = operand.slope * derivative(value, *values)
            if np.isnan(part).any():
                part = np.where((operand.slope == 0) & np.isnan(part), 0, part)
            total = part if total is None else total + part
    return Point(value, total)


def _apply_operation(name: str, operands: tuple[Point, ...]) -> Point:
    """Apply a registered operator by JAX."""
    values = [operand.value for operand in operands]
    slopes = [np.zeros_like(point.value) if point.slope is None else point.slope for point in operands]
    with jax.enable_x64(True), jax.default_device(cpu_device(0)):
        value, slope = jax.jvp(OPERATIONS[name], values, slopes)
        return Point(np.asarray(value), np.asarray(slope))
