"""Operators that a user registers: known everywhere, and gone again at the end."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import glojax
from glojax import LossProgram, LossTree, TrainingConfig, canonical, make_loss, make_train, to_latex, train_population
from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import MAX_NODES, OPERATORS, Node, Operator
from glojax.expressions.bounds import node_bounds
from glojax.losses import compile_tree, interpret, register_operator
from glojax.losses.objective import objective
from glojax.losses.operations import OPERATIONS
from glojax.strategies.genetic import random_tree
from tests.linear_network import LinearNetwork
from tests.losses.interpreting import interpreting

BUILT_IN = ["x", "y", "constant", "log", "square", "sqrt", "add", "subtract", "multiply", "divide"]
LABELS, PROBS = np.array([(x, y) for x in (0, 0.3, 1) for y in (1e-3, 0.4, 1)], np.float32).T


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Registers `exp(a)` and `maximum(a, b)`; every test leaves the table as it was."""
    assert list(OPERATORS) == BUILT_IN
    register_operator(Operator("exp", "exp", 1, weight=1.0, precedence=5, latex=r"e^{{{}}}"), jnp.exp)
    register_operator(Operator("maximum", "max", 2), jnp.maximum)
    yield
    for name in OPERATORS.keys() - BUILT_IN:
        del OPERATORS[name], OPERATIONS[name]


def parsed(text: str) -> LossTree:
    return LossTree.parse(text)


def test_the_others_keep_their_opcodes() -> None:
    assert list(OPERATORS) == [*BUILT_IN, "exp", "maximum"]
    program = LossProgram.from_tree(parsed("exp(x / y)"), 4)
    np.testing.assert_array_equal(program.opcodes, [1, 0, 9, 10])


@pytest.mark.parametrize(
    "text",
    [
        "exp(y)",
        "exp(-1)",
        "-exp(x - y)^2",
        "0.5*exp(y) * exp(exp(x))",
        "max(x, y)",
        "max(x - 1, -y) / max(0.5*y, -2)",
        "exp(max(max(x, 0), log(exp(y))))",
        "-0.5*max(2.5*(x + y), -0.5)",
    ],
)
def test_a_text_is_printed_as_it_is(text: str) -> None:
    assert str(parsed(text)) == text


def test_a_formula_is_that_of_the_operator_or_its_name() -> None:
    assert to_latex(parsed("2 * exp(x + y)^2")) == r"2 \, \left(e^{x + y}\right)^{2}"
    assert to_latex(parsed("max(x, y - 1)")) == r"\operatorname{max}\left(x, y - 1\right)"


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("exq(y)", 1, "the only names are x, y, log, sqrt, exp, max"),
        ("exp y", 5, "expected '(' after exp, got 'y'; write exp(y)"),
        ("max", 4, "expected '(' after max, got the end; write max(x, y)"),
        ("exp()", 5, "expected x, y, a number, log(...), sqrt(...), exp(...), max(...) or '(', got ')'"),
        ("max(x)", 6, "expected ',' and a second operand, got ')'"),
        ("max(x, )", 8, "got ')'"),
        ("max(x, y, x)", 9, "got ','"),
        ("max((x, y), y)", 7, "got ','"),
        ("exp(x, y)", 6, "got ','"),
        ("max(x, y", 4, "this '(' is never closed"),
        ("(x) , y", 5, "got ','"),
    ],
)
def test_an_error_says_where_and_why(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parsed(text)
    assert str(caught.value).startswith(f"At character {position}: ")
    assert message in str(caught.value).split("\n")[0]


@pytest.mark.parametrize("operator", ["exp", "maximum"])
def test_the_largest_trees_are_read_back_whatever_their_coefficients(operator: str) -> None:
    register_operator(Operator("longest", "l" * 11, 1), jnp.sin)
    pair = (Node("longest"), Node("maximum")) if operator == "maximum" else (Node("longest"), Node("exp"))
    number = (MAX_NODES - 1) // 3
    leaves = (Node("constant", -(2**24)),) * (number + 1 if operator == "maximum" else 1)
    tree = LossTree(pair * number + leaves)
    tree = tree.with_coefficients([-2.2250738585072014e-308] * tree.size)
    assert parsed(str(tree)) == tree


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("exp(y * 1 + x) + 0", "exp(x + y)"),
        ("exp(y) * exp(y)", "exp(y)^2"),
        ("exp(y) - exp(y)", "0 * exp(y)"),
        ("exp(y) / exp(y)", "exp(y) / exp(y)"),
        ("exp(0) + exp(2 - 1)", "exp(0) + exp(1)"),
        ("2 * exp(x - x) + exp(0)", "3 * exp(0)"),
        ("exp(1 / 0)", "exp(1 / 0)"),
        ("exp(0 / 0)", "0 / 0"),
        ("0.5*exp(y + 0)", "0.5*exp(y)"),
        ("max(y + 0, x * 1)", "max(y, x)"),
        ("sqrt(exp(y)^2)", "sqrt(exp(y)^2)"),
    ],
)
def test_a_canonical_form_holds_an_opaque_function_of_canonical_operands(text: str, form: str) -> None:
    assert str(canonical(parsed(text))) == form
    assert str(canonical(parsed(form))) == form


def test_nothing_is_known_of_its_values() -> None:
    assert not parsed("exp(y)").fold(node_bounds).finite
    assert not parsed("0.5*max(x, 1)").fold(node_bounds).finite


def test_it_is_sampled_by_its_weight() -> None:
    register_operator(Operator("never", "never", 1, weight=0), jnp.sin)
    rng = np.random.default_rng(0)
    trees = [random_tree(rng, max_depth=2) for _ in range(300)]
    assert sum(tree.uses("exp") for tree in trees) > 10
    assert sum(tree.uses("maximum") for tree in trees) > 10
    assert not any(tree.uses("never") for tree in trees)
    assert all(parsed(str(tree)) == tree for tree in trees)
    assert all(canonical(canonical(tree)) == canonical(tree) for tree in trees)


FORMULAS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "x * exp(y)": (lambda x, y: x * np.exp(y), lambda x, y: x * np.exp(y)),
    "1.5*exp(-2 * y) + log(y)": (
        lambda x, y: 1.5 * np.exp(-2 * y) + np.log(y),
        lambda x, y: -3 * np.exp(-2 * y) + 1 / y,
    ),
    "max(x, y)": (np.maximum, lambda x, y: np.where(x == y, 0.5, x < y)),
    "max(2 * x * y, exp(x) - 1.5)": (
        lambda x, y: np.maximum(2 * x * y, np.exp(x) - 1.5),
        lambda x, y: np.where(2 * x * y > np.exp(x) - 1.5, 2 * x, 0),
    ),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_value_and_gradient_are_those_of_numpy(text: str) -> None:
    value, slope = FORMULAS[text]
    program = LossProgram.from_tree(parsed(text), 16)
    for function in (compile_tree(parsed(text)), interpreting(program), jax.jit(interpreting(program))):
        total = jax.value_and_grad(lambda probs, function=function: function(jnp.asarray(LABELS), probs).sum())
        np.testing.assert_allclose(total(jnp.asarray(PROBS))[0], value(LABELS, PROBS).sum(), rtol=1e-5)
        np.testing.assert_allclose(total(jnp.asarray(PROBS))[1], slope(LABELS, PROBS), rtol=1e-5, atol=1e-6)


def test_an_operand_that_does_not_change_contributes_nothing_to_the_derivative() -> None:
    register_operator(Operator("root", "root", 1), lambda a: a**0.5)
    tree = parsed("root(x) * log(y)")
    for function in (compile_tree(tree), interpreting(LossProgram.from_tree(tree, 8))):
        assert jax.grad(function, argnums=1)(jnp.float32(0), jnp.float32(0.25)) == 0


def test_the_gradient_of_a_loss_is_that_of_jax() -> None:
    logits, labels = jnp.float32(np.random.default_rng(0).normal(size=(6, 5))), jnp.eye(5, dtype=jnp.float32)[:4]
    labels = jnp.concatenate([labels, labels[:2]])
    program = LossProgram.from_tree(parsed("x * exp(y) - y"), 8)

    def expected(logits: jax.Array) -> jax.Array:
        probs = jax.nn.softmax(logits)
        return -(labels * jnp.exp(probs) - probs).sum()

    losses = (
        lambda logits: make_loss("x * exp(y) - y")(logits, labels).sum(),
        lambda logits: objective(interpret, "sum", 1e-7, program, labels, logits).sum(),
    )
    for loss in losses:
        for ours, theirs in zip(jax.value_and_grad(loss)(logits), jax.value_and_grad(expected)(logits), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_population_trains_with_it_beside_others() -> None:
    train = make_train(
        LinearNetwork, glojax.load_dataset("digits"), TrainingConfig(40, batch_size=64, learning_rate=0.05)
    )
    texts = ["x * log(y)", "exp(y) * exp(2 * x) * x", "log(y) - x / y"]
    programs = LossProgram.from_trees([parsed(text) for text in texts], 16)
    key = jax.random.key(0)
    together = train_population(train, programs, key)
    assert together.scores["validation"][1] > 0.5
    chunk = train_population(train, programs, key, chunk_size=3)
    np.testing.assert_allclose(chunk.scores["validation"], together.scores["validation"], atol=5 / 360)
    unregistered = dataclasses.replace(programs, operators=tuple(BUILT_IN[3:]))
    for row in (0, 2):
        alone = jax.tree.map(lambda array, row=row: array[row : row + 1], unregistered)
        assert train_population(train, alone, key).scores["validation"][0] == together.scores["validation"][row]


def test_what_was_compiled_before_a_registration_knows_it_afterwards() -> None:
    run = jax.jit(lambda program, labels, probs: interpreting(program)(labels, probs))
    before = LossProgram.from_tree(parsed("x / y"), 4)
    ones = jnp.full(2, 0.5, jnp.float32)
    np.testing.assert_array_equal(run(before, ones, ones), [1, 1])
    register_operator(Operator("negative", "neg", 1), jnp.negative)
    np.testing.assert_array_equal(run(LossProgram.from_tree(parsed("neg(x)"), 4), ones, ones), [-0.5, -0.5])
    np.testing.assert_array_equal(run(before, ones, ones), [1, 1])


EXPONENTIAL = Operator("other", "other", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "exp"}, "its name must be a Python name that is not taken; taken are x, y, constant, log"),
        ({"name": ""}, "its name must be"),
        ({"symbol": "exp"}, "its symbol 'exp' must be a name that is not taken; taken are x y log ^2"),
        ({"symbol": "x"}, "its symbol 'x' must be"),
        ({"symbol": "%"}, "its symbol '%' must be"),
        ({"symbol": "\N{GREEK SMALL LETTER ALPHA}"}, "must be a name"),
        ({"symbol": "e" * 12}, "too long; expected at most 11 characters"),
        ({"arity": 0}, "its arity is 0; expected 1 or 2 operands"),
        ({"arity": 3}, "its arity is 3; expected 1 or 2 operands"),
        ({"arity": 2}, r"its function fails on 2 float32 arrays (TypeError: "),
        ({"precedence": 1}, "its precedence is 1; expected 5, that of a function call such as other(y)"),
        ({"weight": -1.0}, "its weight is -1.0; expected a finite number of at least 0"),
        ({"weight": float("nan")}, "its weight is nan"),
        ({"latex": "e^{}^{}"}, "expected a format string with 1 times {}"),
        ({"latex": "{"}, "expected a format string with 1 times {}"),
    ],
)
def test_an_operator_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    before = dict(OPERATORS)
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        register_operator(EXPONENTIAL._replace(**change), jnp.exp)
    assert before == OPERATORS


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.exp, "TracerArrayConversionError"),
        (jnp.sum, "its function makes ShapeDtypeStruct(shape=(), dtype=float32)"),
        (lambda a: a > 0, "dtype=bool"),
        (lambda a: (a, a), "expected one such array"),
        (jax.custom_vjp(jnp.exp), "its function fails on 1 float32 arrays"),
        (None, "TypeError"),
    ],
)
def test_a_function_that_does_not_fit_is_refused(function: Callable[..., jax.Array], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        register_operator(EXPONENTIAL, function)
    assert "\n" not in str(caught.value)
    assert "other" not in OPERATORS
    assert "other" not in OPERATIONS
