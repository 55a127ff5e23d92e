"""Trees as SymPy's expressions and back are the same functions, by complex arithmetic on 40 digits."""

import sys
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from mpmath import mp, mpc

from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import LossTree, Node, from_sympy, to_sympy
from tests.oracle import evaluate
from tests.tree_strategies import loss_trees

X, Y = sympy.symbols("x y")
POINTS = [(mpc(label), mpc(prob)) for label in (0, 0.3, 1) for prob in ("0.0625", "0.4", "0.9")]


def value_of(tree: LossTree, x: Any, y: Any) -> Any:
    """A tree's value, or None where it is infinite or undefined."""

    def value(node: Node, *operands: Any) -> Any:
        match node.operator, operands:
            case "x", ():
                result = x
            case "y", ():
                result = y
            case "constant", ():
                result = mpc(node.value)
            case "add", (a, b):
                result = a + b
            case "subtract", (a, b):
                result = a - b
            case "multiply", (a, b):
                result = a * b
            case "divide", (a, b):
                result = a / b
            case "square", (a,):
                result = a**2
            case "log", (a,):
                result = mp.log(a)
            case "sqrt", (a,):
                result = mp.sqrt(a)
        return node.coefficient * result

    try:
        result = tree.fold(value)
    except (ZeroDivisionError, ValueError):
        return None
    return result if mp.isfinite(result) and abs(result) < 1e20 else None


def symbolic(tree: LossTree) -> Any:
    """A tree as an expression, if it is a real one."""
    expression = to_sympy(tree)
    assume(not expression.has(sympy.zoo, sympy.nan, sympy.oo, sympy.I))
    return expression


@settings(deadline=None, max_examples=60)
@given(loss_trees(max_size=12, coefficients=True))
def test_the_expression_is_the_function_of_the_tree(tree: LossTree) -> None:
    function = sympy.lambdify((X, Y), symbolic(tree), "mpmath")
    with mpmath.workdps(40):
        for x, y in POINTS:
            if (expected := value_of(tree, x, y)) is not None and (value := _finite(function, x, y)) is not None:
                assert abs(value - expected) <= 1e-9 * (1 + abs(expected))


def _finite(function: Any, x: Any, y: Any) -> Any:
    try:
        return function(x, y)
    except ZeroDivisionError:  # 0 * (1 / 0) in another order
        return None


@settings(deadline=None, max_examples=60)
@given(loss_trees(max_size=12, coefficients=True))
def test_the_tree_of_an_expression_is_its_function(tree: LossTree) -> None:
    expression = symbolic(tree)
    function, back = sympy.lambdify((X, Y), expression, "mpmath"), from_sympy(expression)
    with mpmath.workdps(40):
        for x, y in POINTS:
            if (value := value_of(back, x, y)) is not None and (expected := _finite(function, x, y)) is not None:
                assert abs(value - expected) <= 1e-9 * (1 + abs(expected))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (sympy.log(Y) - X / Y, "log(y) - x / y"),
        (X * sympy.log(Y), "x * log(y)"),
        (-X * sympy.log(Y), "-(x * log(y))"),
        (-((X - Y) ** 2), "-(x - y)^2"),
        (1 / sympy.sqrt(Y), "1 / sqrt(y)"),
        (Y**3 + Y ** sympy.Rational(3, 4), "sqrt(sqrt(y)) * sqrt(sqrt(y))^2 + y * y^2"),
        (sympy.Rational(-2, 3) * X, "-2 * x / 3"),
        (0.5 * X * (1 - Y), "0.5*(x * (1 - y))"),
        (sympy.Float(0.25) + sympy.log(sympy.Integer(3)), "0.25 + log(3)"),
        (sympy.Symbol("x", positive=True), "x"),
    ],
)
def test_an_expression_is_a_tree_as_one_would_write_it(expression: Any, text: str) -> None:
    assert str(from_sympy(expression)) == text


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            sympy.gamma(Y),
            r"SymPy's gamma\(y\) is no loss expression; expected x, y, real numbers, .* log, sqrt, .*, and powers",
        ),
        (sympy.Symbol("z"), "SymPy's z is no"),
        (Y**X, r"SymPy's y\*\*x is no"),
        (X + sympy.I, "SymPy's I is no"),
        (sympy.pi * X, "SymPy's pi is no"),
        (sympy.zoo, "SymPy's zoo is no"),
        (X + 2**30, "1073741824"),
        (sympy.Add(*(sympy.log(Y + i) for i in range(400))), "too large; expected at most 1,000 nodes"),
        ("x", "Got 'x'; expected an expression of SymPy"),
    ],
)
def test_what_cannot_be_said_is_named(expression: Any, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        from_sympy(expression)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "exp(y) * tanh(x) - sin(y) / cos(x)",
        "max(x, min(y, 2)) + abs(x - y)",
        "(1 - y)^2.5 * log(y) - y^-0.7",
        "y^3 + y^0.5",
        "aq(x, y)",
    ],
)
def test_further_operators_have_forms_in_sympy(text: str) -> None:
    tree = LossTree.parse(text)
    points = np.array([0.0, 0.3, 1.0]), np.array([0.1, 0.4, 0.9])
    np.testing.assert_allclose(evaluate(from_sympy(to_sympy(tree)), *points), evaluate(tree, *points), rtol=1e-9)


def test_too_deep_an_expression_is_refused(low_recursion_limit: None) -> None:
    expression = Y
    for _ in range(30):
        expression = sympy.log(expression + 1)
    sys.setrecursionlimit(sys.getrecursionlimit() - 140)
    with pytest.raises(ExpressionError, match="nested too deeply"):
        from_sympy(expression)


def test_without_sympy_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sympy", None)
    for convert in (lambda: to_sympy(LossTree.parse("x")), lambda: from_sympy(X)):
        with pytest.raises(ConfigurationError, match=r"^SymPy is not installed: pip install 'glojax\[export\]'$"):
            convert()


def test_a_power_whose_exponent_is_an_int_is_one_of_sympy() -> None:
    assert to_sympy(LossTree.of("power", LossTree.parse("y"), value=3)) == Y**3
