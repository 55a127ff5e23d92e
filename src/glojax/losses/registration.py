"""Operators that a user adds."""

from functools import partial
from itertools import product
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from glojax.errors import ConfigurationError
from glojax.expressions import OPERATORS, Operator
from glojax.expressions.operators import check_new
from glojax.losses.operations import OPERATIONS, Function, differentiated, make_operation

#: The operands at which derivatives are checked, less often at a kink of a function than round numbers; and the step of
#: the difference quotients, whose rounding and truncation errors are well below the tolerance.
_POINTS: Final = (-2.03, -0.97, -0.31, 0.07, 0.43, 0.89, 1.61)
_STEP: Final = 2.0**-10
_TOLERANCE: Final = 0.01


def register_operator(operator: Operator, function: Function, *derivatives: Function) -> None:
    r"""Make an operator of a JAX function of one to three operands.

    Parsing, printing, LaTeX, canonical forms, programs, the interpreter and compiled losses know the operator from then
    on, and a search whose `GeneticConfig.operators` names it draws it. Canonical forms treat it as an opaque function
    of its operands in canonical form, undefined where one of these is. Register it in every process that uses it.

    Args:
        operator: Its `name` and `symbol` must be free, and its `arity` 1, 2 or 3. The `symbol` is a name, of a function
            call, or for one operand a sign such as `!`, before the operand if `precedence` is 3 and after it if it is
            4. `weight` is its relative frequency in random sampling, where `log` has 3. An empty `latex` stands for
            `\operatorname{symbol}\left({}\right)`.
        function: Takes as many arrays of one shape and dtype and returns another such array, elementwise.
        derivatives: The partial derivative in each operand, a function of all of them; compared with difference
            quotients of `function` between -2 and 2. Without them, JAX differentiates `function` in forward mode.

    Raises:
        ConfigurationError: The operator or its function does not fit, or a derivative is not that of the function.

    Examples:
        >>> from glojax.losses import make_loss
        >>> register_operator(Operator("softplus", "softplus", 1), jax.nn.softplus, jax.nn.sigmoid)
        >>> float(make_loss("x * softplus(y)")(jnp.zeros(2), jnp.array(0))).__round__(4)
        -0.9741
        >>> del OPERATORS["softplus"], OPERATIONS["softplus"]
    """
    check_new(operator)
    if len(derivatives) not in (0, operator.arity):
        raise _refusal(operator, f"it has {len(derivatives)} derivatives; expected none, or one for each operand")
    if derivatives:
        operation = make_operation(function, *(partial(_of_operands, derivative) for derivative in derivatives))
    else:
        operation = differentiated(function, operator.arity)
    arrays = [jax.ShapeDtypeStruct((2, 3), jnp.float32)] * operator.arity
    try:
        found = jax.eval_shape(partial(function), *arrays)
        is_one_array = isinstance(found, jax.ShapeDtypeStruct) and found.shape == (2, 3) and found.dtype == jnp.float32
        if is_one_array:
            jax.eval_shape(partial(jax.jvp, operation), arrays, arrays)
    except Exception as error:
        problem = " ".join([f"{type(error).__name__}:", *str(error).splitlines()[:1]]).rstrip(". ")
        part = "function or derivative" if derivatives else "function"
        raise _refusal(
            operator,
            f"its {part} fails on {operator.arity} float32 arrays ({problem}). Pass a differentiable function of as "
            "many JAX arrays, such as jnp.exp",
        ) from error
    if not is_one_array:
        raise _refusal(
            operator, f"of float32 arrays of shape (2, 3) its function makes {found}; expected one such array"
        )
    _check_elementwise(operator, function)
    for index, derivative in enumerate(derivatives):
        _check_derivative(operator, function, index, derivative)
    if not operator.latex:
        operands = ", ".join(["{}"] * operator.arity)
        name = (operator.symbol if operator.form == "call" else operator.name).replace("_", r"\_")
        operator = operator._replace(latex=rf"\operatorname{{{{{name}}}}}\left({operands}\right)")
    OPERATORS[operator.name] = operator
    OPERATIONS[operator.name] = operation


def _of_operands(derivative: Function, value: jax.Array, *operands: jax.Array) -> jax.Array:
    return derivative(*operands)


def _points(operator: Operator) -> np.ndarray:
    return np.array(list(product(_POINTS, repeat=operator.arity)), np.float32).T


def _check_elementwise(operator: Operator, function: Function) -> None:
    """Refuse a function whose values depend on the other elements of an array."""
    points = _points(operator)
    among, alone = (np.asarray(function(*map(jnp.asarray, rows))) for rows in (points, points[:, ::2]))
    if not np.allclose(among[::2], alone, rtol=1e-5, equal_nan=True):
        raise _refusal(operator, "its function is not elementwise: its values depend on other elements of an array")


def _check_derivative(operator: Operator, function: Function, index: int, derivative: Function) -> None:
    """Refuse a partial derivative that is no difference quotient of the function: central, forward or backward."""
    points = _points(operator)

    def value_at(shift: float) -> np.ndarray:
        shifted = [row + np.float32(shift) * (place == index) for place, row in enumerate(points)]
        return np.asarray(function(*map(jnp.asarray, shifted)))

    below, value, above = map(value_at, (-_STEP, 0, _STEP))
    ours = np.broadcast_to(np.asarray(derivative(*map(jnp.asarray, points))), value.shape)
    with np.errstate(all="ignore"):
        quotients = np.stack([(above - below) / 2, above - value, value - below]) / np.float32(_STEP)
        sizes = np.maximum(np.maximum(np.abs(quotients[0]), np.abs(value)), 1)
        errors = (np.abs(ours - quotients) / sizes).min(axis=0)
    # Where the function itself is not finite, nothing is compared.
    errors = np.where(np.isfinite(quotients).all(axis=0), np.where(np.isnan(errors), np.inf, errors), 0)
    if errors.max() > _TOLERANCE:
        worst = errors.argmax()
        at = ", ".join(f"{operand:.4g}" for operand in points[:, worst])
        raise _refusal(
            operator,
            f"its derivative in operand {index + 1} is {ours[worst]:.4g} at ({at}); expected "
            f"{quotients[0, worst]:.4g}, the slope of its function there",
        )


def _refusal(operator: Operator, problem: str) -> ConfigurationError:
    return ConfigurationError(f"Operator {operator.name!r} cannot be registered: {problem}.")
