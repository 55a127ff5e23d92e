import numpy as np

from glojax.expressions import OPERATORS
from glojax.expressions.operators import MAX_INTEGER, SAMPLED_INTEGERS


def test_keys_are_the_names() -> None:
    assert [operator.name for operator in OPERATORS.values()] == list(OPERATORS)


def test_sampling_weights_are_those_of_the_paper() -> None:
    paper = {"log": 3, "x": 3, "y": 3, "sqrt": 2, "add": 1, "subtract": 1, "multiply": 1, "divide": 1}
    assert {name: OPERATORS[name].weight for name in paper} == paper
    assert OPERATORS["constant"].weight == len(SAMPLED_INTEGERS)


def test_symbols_differ() -> None:
    assert len({operator.symbol for operator in OPERATORS.values()}) == len(OPERATORS)


def test_latex_has_a_place_for_each_operand() -> None:
    for operator in OPERATORS.values():
        assert operator.latex.format(*"ab"[: operator.arity]).count("{}") == 0
        assert operator.latex.replace("{{", "").replace("}}", "").count("{}") == operator.arity


def test_the_largest_integer_is_the_last_exact_one_in_float32() -> None:
    assert np.float32(MAX_INTEGER - 1) != np.float32(MAX_INTEGER)
    assert np.float32(MAX_INTEGER + 1) == np.float32(MAX_INTEGER)
