"""What each operator computes in JAX, and its derivative.

The operators are unprotected, as in the paper: the logarithm of a negative number is NaN. Their derivatives follow one
rule beside the chain rule: where an operand does not change (its tangent is 0), it contributes 0, even if the partial
derivative is infinite there. So `sqrt(x)` has derivative 0 with respect to the probability also at label x = 0, whether
the tree is compiled, where that is known from the structure, or interpreted, where only the numbers tell.
"""

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp


def _contribution(tangent: jax.Array, partial: jax.Array) -> jax.Array:
    return jnp.where(tangent == 0, 0, tangent * partial)


@jax.custom_jvp
def _log(a: jax.Array) -> jax.Array:
    return jnp.log(a)


@_log.defjvp
def _log_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (a,), (da,) = primals, tangents
    return jnp.log(a), _contribution(da, 1 / a)


@jax.custom_jvp
def _square(a: jax.Array) -> jax.Array:
    return a * a


@_square.defjvp
def _square_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (a,), (da,) = primals, tangents
    return a * a, _contribution(da, 2 * a)


@jax.custom_jvp
def _sqrt(a: jax.Array) -> jax.Array:
    return jnp.sqrt(a)


@_sqrt.defjvp
def _sqrt_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (a,), (da,) = primals, tangents
    root = jnp.sqrt(a)
    return root, _contribution(da, 0.5 / root)


@jax.custom_jvp
def _multiply(a: jax.Array, b: jax.Array) -> jax.Array:
    return a * b


@_multiply.defjvp
def _multiply_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (a, b), (da, db) = primals, tangents
    return a * b, _contribution(da, b) + _contribution(db, a)


@jax.custom_jvp
def _divide(a: jax.Array, b: jax.Array) -> jax.Array:
    return a / b


@_divide.defjvp
def _divide_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (a, b), (da, db) = primals, tangents
    quotient = a / b
    change = da - _contribution(db, quotient)
    return quotient, jnp.where(change == 0, 0, change / b)


def forward_differentiated(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """A function that is differentiable in reverse mode, too, by a forward-mode pass through `function`.

    The rule above is not linear in the tangents, so that JAX cannot transpose it; nor could it transpose a loop.

    Args:
        function: Elementwise in its last argument, in which alone the result is differentiable.
    """

    @jax.custom_jvp
    def differentiable(*arguments: Any) -> jax.Array:
        return function(*arguments)

    @differentiable.defjvp
    def jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        *fixed, last = primals
        value, slope = jax.jvp(lambda argument: function(*fixed, argument), (last,), (jnp.ones_like(last),))
        return value, slope * tangents[-1]

    return differentiable


#: What each operator with operands computes; the key is its name in `glojax.expressions.OPERATORS`.
OPERATIONS: Final[dict[str, Callable[..., jax.Array]]] = {
    "log": _log,
    "square": _square,
    "sqrt": _sqrt,
    "add": jnp.add,
    "subtract": jnp.subtract,
    "multiply": _multiply,
    "divide": _divide,
}
