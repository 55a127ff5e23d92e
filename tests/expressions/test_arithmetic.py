"""What arithmetic builds is what the parser reads."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glojax.errors import ExpressionError
from glojax.expressions import (
    LossTree,
    analytic_quotient,
    cos,
    exp,
    log,
    maximum,
    minimum,
    sin,
    sqrt,
    tanh,
    to_latex,
    x,
    y,
)

_NUMBERS = st.sampled_from(("2", "-2", "0.5", "-0.5", "3", "1e-3", "16777216"))
_SIGNS = st.sampled_from("+-*/")


def _combinations(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of texts. Python computes an operation on two numbers itself, so that one never stands beside another."""
    begun = texts.map(lambda text: text if text[0] in "xyls" else f"({text})")
    return st.one_of(
        st.tuples(texts, _SIGNS, begun).map(lambda parts: "{} {} {}".format(*parts)),
        st.tuples(texts, _SIGNS, _NUMBERS).map(lambda parts: "({}) {} {}".format(*parts)),
        st.tuples(_NUMBERS, _SIGNS, texts).map(lambda parts: "{} {} ({})".format(*parts)),
        texts.map(lambda text: f"({text}) ** 2"),
        begun.map(lambda text: f"-{text}"),
        st.tuples(st.sampled_from(("log", "sqrt")), texts | _NUMBERS).map(lambda parts: "{}({})".format(*parts)),
    )


@given(st.recursive(st.sampled_from(("x", "y", "y ** 2")), _combinations, max_leaves=12))
def test_python_reads_what_the_parser_reads(text: str) -> None:
    assert eval(text, {"x": x, "y": y, "log": log, "sqrt": sqrt}) == LossTree.parse(text)


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (np.float32(0.5) * y, "0.5*y"),
        (np.float64(0.5) * y, "0.5*y"),
        (np.int64(2) * y - np.float64(0.25), "2 * y - 0.25"),
        (0.5 * (0.5 * y), "0.25*y"),
        (2.0 * y, "2.0*y"),
        (y**2.0, "y^2"),
    ],
)
def test_numbers_of_other_types_are_numbers(tree: LossTree, text: str) -> None:
    assert tree == LossTree.parse(text)


@pytest.mark.parametrize("other", ["y", None, [1], np.zeros(2), Decimal(1), 1j])
def test_other_operands_are_refused_as_python_refuses_them(other: Any) -> None:
    operations: tuple[Callable[[], Any], ...] = (
        lambda: x + other,
        lambda: other - x,
        lambda: x * other,
        lambda: other * x,
        lambda: other / x,
    )
    for operation in operations:
        with pytest.raises(
            TypeError, match=r"unsupported operand|can't multiply|can only concatenate|does not support"
        ):
            operation()


@pytest.mark.parametrize("exponent", [x, "2", None])
def test_an_exponent_that_is_no_number_is_refused(exponent: Any) -> None:
    with pytest.raises(ExpressionError, match=r"The exponent is .*; expected a number, such as 2 or 0\.7"):
        y**exponent


def test_further_operators_have_names_too() -> None:
    built = (1 - y) ** 2.5 * exp(x) + abs(tanh(y)) - maximum(sin(y), cos(x)) * minimum(x, 2) / analytic_quotient(x, y)
    assert built == LossTree.parse("(1 - y)^2.5 * exp(x) + abs(tanh(y)) - max(sin(y), cos(x)) * min(x, 2) / aq(x, y)")


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 1e308])
def test_a_coefficient_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(ExpressionError, match="expected a finite number"):
        number * (1e308 * y)


def test_an_integer_that_float32_does_not_hold_is_refused() -> None:
    with pytest.raises(ExpressionError, match="16777217"):
        y + 16777217


@pytest.mark.parametrize("operands", [(), (x, y), ("y",), (None,)])
def test_a_function_of_something_else_is_refused(operands: tuple[Any, ...]) -> None:
    with pytest.raises(ExpressionError, match=r"Got log\(.*\); expected trees or numbers, 1 of them"):
        log(*operands)


def test_a_notebook_shows_a_tree_as_a_formula() -> None:
    assert (log(y) - x / y)._repr_latex_() == f"${to_latex(LossTree.parse('log(y) - x / y'))}$"
