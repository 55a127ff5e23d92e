"""The JAX function of each operator, and its derivative.

The operators are unprotected, as in the paper: the logarithm of a negative number is NaN. Their derivatives follow one
rule beside the chain rule: an operand that does not change (its tangent is 0) contributes 0, even if the partial
derivative is infinite there. So `sqrt(x)` has derivative 0 with respect to the probability also at label x = 0, both in
a compiled tree, where the structure shows it, and in an interpreted one, where only the numbers do.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from glojax.expressions import OPERATORS

Function = Callable[..., jax.Array]


def _contribution(tangent: jax.Array, derivative: jax.Array) -> jax.Array:
    # Where the derivative is finite, the product itself, which can be differentiated again.
    return tangent * jnp.where((tangent == 0) & ~jnp.isfinite(derivative), 0, derivative)


def make_operation(function: Function, *derivatives: Function | None) -> Function:
    """Return an elementwise function with the derivative of the rule above.

    For each operand, `derivatives` has the partial derivative, a function of the value and the operands; None for an
    operand that adds nothing to the derivative.
    """

    @jax.custom_jvp
    def operation(*operands: jax.Array) -> jax.Array:
        return function(*operands)

    @partial(operation.defjvp, symbolic_zeros=True)
    def jvp(operands: tuple[jax.Array, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        value = function(*operands)
        contributions = [
            _contribution(tangent, derivative(value, *operands))
            for tangent, derivative in zip(tangents, derivatives, strict=True)
            if derivative is not None and not isinstance(tangent, SymbolicZero)
        ]
        first, *others = contributions or [jnp.zeros_like(value)]
        return value, sum(others, start=first)

    return operation


@jax.custom_jvp
def _divide(a: jax.Array, b: jax.Array) -> jax.Array:
    return a / b


@partial(_divide.defjvp, symbolic_zeros=True)
def _divide_jvp(operands: tuple[jax.Array, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
    (a, b), (da, db) = operands, tangents
    quotient = a / b
    change = jnp.zeros_like(a) if isinstance(da, SymbolicZero) else da
    if not isinstance(db, SymbolicZero):
        change -= _contribution(db, quotient)
    return quotient, change / jnp.where((change == 0) & ~(jnp.abs(b) > 0), 1, b)


def differentiated(function: Function, arity: int) -> Function:
    """Return an elementwise function of so many operands with the derivatives that JAX finds."""
    return make_operation(function, *(partial(_derivative, function, index) for index in range(arity)))


def _derivative(function: Function, index: int, value: jax.Array, *operands: jax.Array) -> jax.Array:
    """Return the partial derivative of an elementwise function with respect to one operand."""
    tangents = [jnp.full_like(operand, other == index) for other, operand in enumerate(operands)]
    derivative: jax.Array = jax.jvp(function, operands, tuple(tangents))[1]
    return derivative


def _power_by_log(a: jax.Array, log: jax.Array, exponent: jax.Array) -> jax.Array:
    return jnp.where(a < np.finfo(a.dtype).tiny, jnp.exp(exponent * log), jnp.power(a, exponent))


#: The function of each operation; the key is the name of an operator with operands in `glojax.expressions.OPERATORS`,
#: or of `STABLE_ARITIES`. Programs number them in this order.
OPERATIONS: Final[dict[str, Function]] = {
    "log": make_operation(jnp.log, lambda _, a: 1 / a),
    "square": make_operation(lambda a: a * a, lambda _, a: 2 * a),
    "sqrt": make_operation(jnp.sqrt, lambda root, _: 0.5 / root),
    "add": jnp.add,
    "subtract": jnp.subtract,
    "multiply": make_operation(lambda a, b: a * b, lambda _, a, b: b, lambda _, a, b: a),
    "divide": _divide,
    "exp": make_operation(jnp.exp, lambda value, _: value),
    "abs": differentiated(jnp.abs, 1),
    "tanh": differentiated(jnp.tanh, 1),
    "sin": differentiated(jnp.sin, 1),
    "cos": differentiated(jnp.cos, 1),
    "max": differentiated(jnp.maximum, 2),
    "min": differentiated(jnp.minimum, 2),
    "analytic_quotient": make_operation(
        lambda a, b: a / jnp.sqrt(1 + b * b),
        lambda _, a, b: 1 / jnp.sqrt(1 + b * b),
        lambda quotient, a, b: -quotient * b / (1 + b * b),
    ),
    "power": make_operation(jnp.power, lambda _, a, exponent: exponent * jnp.power(a, exponent - 1), None),
    "log power": make_operation(_power_by_log, None, lambda value, a, log, exponent: exponent * value, None),
    "power complement": make_operation(
        lambda a, log, exponent: -jnp.expm1(exponent * log),
        None,
        lambda _, *operands: -operands[-1] * _power_by_log(*operands),
        None,
    ),
}

#: The number of operands of an operation that differs from that of the operator, or has none: `a^c` of a and c, and
#: `a^c` and `1 - a^c` of a, log(a) and c. Only a and its logarithm change.
STABLE_ARITIES: Final = {"power": 2, "log power": 3, "power complement": 3}


def num_operands(name: str) -> int:
    """Return the number of operands of an operation."""
    return STABLE_ARITIES.get(name) or OPERATORS[name].arity
