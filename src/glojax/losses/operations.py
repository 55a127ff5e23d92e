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

from glojax.errors import ConfigurationError
from glojax.expressions import OPERATORS, Operator
from glojax.expressions.operators import check_new

Function = Callable[..., jax.Array]


def _contribution(tangent: jax.Array, derivative: jax.Array) -> jax.Array:
    return jnp.where(tangent == 0, 0, tangent * derivative)


def _operation(function: Function, *derivatives: Function) -> Function:
    """Return an elementwise function with the derivative of the rule above.

    For each operand, `derivatives` has the partial derivative, a function of the value and the operands.
    """

    @jax.custom_jvp
    def operation(*operands: jax.Array) -> jax.Array:
        return function(*operands)

    @operation.defjvp
    def jvp(operands: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        value = function(*operands)
        first, *others = (
            _contribution(tangent, derivative(value, *operands))
            for tangent, derivative in zip(tangents, derivatives, strict=True)
        )
        return value, sum(others, start=first)

    return operation


@jax.custom_jvp
def _divide(a: jax.Array, b: jax.Array) -> jax.Array:
    return a / b


@_divide.defjvp
def _divide_jvp(operands: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
    (a, b), (da, db) = operands, tangents
    quotient = a / b
    change = da - _contribution(db, quotient)
    return quotient, jnp.where(change == 0, 0, change / b)


#: The function of each operator with operands; the key is its name in `glojax.expressions.OPERATORS`.
OPERATIONS: Final[dict[str, Function]] = {
    "log": _operation(jnp.log, lambda _, a: 1 / a),
    "square": _operation(lambda a: a * a, lambda _, a: 2 * a),
    "sqrt": _operation(jnp.sqrt, lambda root, _: 0.5 / root),
    "add": jnp.add,
    "subtract": jnp.subtract,
    "multiply": _operation(lambda a, b: a * b, lambda _, a, b: b, lambda _, a, b: a),
    "divide": _divide,
}


def register_operator(operator: Operator, function: Function) -> None:
    r"""Make an operator of a JAX function: a function call in expressions, of one or two operands.

    Parsing, printing, LaTeX, canonical forms, random sampling, programs, the interpreter and compiled losses know the
    operator from then on. Canonical forms treat it as an opaque function of its operands in canonical form. Register it
    in every process that uses it, before you make evaluators there: they compile the operators that they find.

    Args:
        operator: Its `name` and `symbol` must be free, its `arity` 1 or 2 and its `precedence` 5. `weight` is its
            relative frequency in random sampling, where `log` has 3; 0 keeps it out. An empty `latex` stands for
            `\operatorname{symbol}\left({}\right)`.
        function: Takes as many arrays of one shape and dtype and returns another such array, elementwise. JAX must be
            able to differentiate it in forward mode.

    Example:
        >>> from glojax.losses import make_loss
        >>> register_operator(Operator("hyperbolic", "tanh", 1, weight=1.0), jnp.tanh)
        >>> float(make_loss("x * tanh(y)")(jnp.zeros(2), jnp.array(0))).__round__(4)
        -0.4621
        >>> del OPERATORS["hyperbolic"], OPERATIONS["hyperbolic"]
    """
    check_new(operator)
    operation = _operation(function, *(partial(_derivative, function, index) for index in range(operator.arity)))
    arrays = [jax.ShapeDtypeStruct((2, 3), jnp.float32)] * operator.arity
    try:
        found = jax.eval_shape(partial(function), *arrays)
        if found == arrays[0]:
            jax.eval_shape(partial(jax.jvp, operation), arrays, arrays)
    except Exception as error:
        problem = " ".join([f"{type(error).__name__}:", *str(error).splitlines()[:1]])
        raise ConfigurationError(
            f"Operator {operator.name!r} cannot be registered: its function fails on {operator.arity} float32 arrays "
            f"({problem.rstrip('. ')}). Pass a differentiable function of as many JAX arrays, such as jnp.exp."
        ) from error
    if found != arrays[0]:
        raise ConfigurationError(
            f"Operator {operator.name!r} cannot be registered: of float32 arrays of shape (2, 3) its function makes "
            f"{found}; expected one such array."
        )
    if not operator.latex:
        operands = ", ".join(["{}"] * operator.arity)
        name = operator.symbol.replace("_", r"\_")
        operator = operator._replace(latex=rf"\operatorname{{{{{name}}}}}\left({operands}\right)")
    OPERATORS[operator.name] = operator
    OPERATIONS[operator.name] = operation


def _derivative(function: Function, index: int, value: jax.Array, *operands: jax.Array) -> jax.Array:
    """Return the partial derivative of an elementwise function with respect to one operand."""
    tangents = [jnp.full_like(operand, other == index) for other, operand in enumerate(operands)]
    derivative: jax.Array = jax.jvp(function, operands, tuple(tangents))[1]
    return derivative


def forward_differentiated(function: Function) -> Function:
    """Return a function that is differentiable in reverse mode, too, by a forward-mode pass through `function`.

    The rule above is not linear in the tangents, so that JAX cannot transpose it. It cannot transpose a loop, either.
    The function is elementwise in its last argument, in which alone the result is differentiable.
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
