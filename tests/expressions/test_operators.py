import numpy as np
import pytest
import sympy

from glojax.expressions import OPERATORS, PAPER_OPERATORS, LossTree, Node
from glojax.expressions.operators import MAX_INTEGER, SAMPLED_VALUES
from tests.oracle import evaluate


def test_keys_are_the_names() -> None:
    assert [operator.name for operator in OPERATORS.values()] == list(OPERATORS)


def test_sampling_weights_are_those_of_the_paper() -> None:
    paper = {"log": 3, "x": 3, "y": 3, "sqrt": 2, "add": 1, "subtract": 1, "multiply": 1, "divide": 1}
    assert {name: OPERATORS[name].weight for name in paper} == paper
    assert OPERATORS["constant"].weight == len(SAMPLED_VALUES["constant"])


def test_the_papers_operators_come_first() -> None:
    assert tuple(OPERATORS)[:10] == ("x", "y", "constant", *PAPER_OPERATORS)


def test_symbols_differ() -> None:
    assert len({operator.symbol for operator in OPERATORS.values()}) == len(OPERATORS)


def test_latex_has_a_place_for_each_operand() -> None:
    for operator in OPERATORS.values():
        num_fields = operator.arity + (operator.name == "power")
        assert operator.latex.format(*"ab"[:num_fields]).count("{}") == 0
        assert operator.latex.replace("{{", "").replace("}}", "").count("{}") == num_fields


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.arity])
def test_the_form_of_sympy_is_the_operator(name: str) -> None:
    operator = OPERATORS[name]
    a, b = sympy.symbols("a b", real=True)
    function = getattr(sympy, operator.sympy) if isinstance(operator.sympy, str) else operator.sympy
    assert function is not None
    operands = ([a, b] if operator.arity == 2 else [a]) + ([sympy.Rational(7, 10)] if name == "power" else [])
    value = float(function(*operands).subs({a: 0.3, b: 0.6}))
    node = Node(name, 0.7 if name == "power" else 0)
    tree = LossTree((node, *(Node(leaf) for leaf in ("x", "y")[: operator.arity])))
    assert value == pytest.approx(float(evaluate(tree, 0.3, 0.6)), rel=1e-12)


def test_the_largest_integer_is_the_last_exact_one_in_float32() -> None:
    assert np.float32(MAX_INTEGER - 1) != np.float32(MAX_INTEGER)
    assert np.float32(MAX_INTEGER + 1) == np.float32(MAX_INTEGER)
