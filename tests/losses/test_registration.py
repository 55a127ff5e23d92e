"""Operators that a user registers: known everywhere, and gone again at the end."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import glojax
from glojax import GeneticConfig, LossProgram, LossTree, canonical, to_latex
from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import MAX_NODES, OPERATORS, PAPER_OPERATORS, Node, Operator
from glojax.expressions.bounds import node_bounds
from glojax.losses import compile_tree, interpret, register_operator
from glojax.losses.operations import OPERATIONS
from glojax.strategies.genetic import random_tree
from glojax.training import TrainingConfig, computation_identity, make_train
from tests.linear_network import LinearNetwork
from tests.losses.interpreting import leaves_of

LIBRARY = list(OPERATORS)
NEW = Operator("other", "other", 1)
LABELS, PROBS = np.array([(x, y) for x in (0, 0.3, 1) for y in (1e-3, 0.4, 1)], np.float32).T


@pytest.fixture(autouse=True, scope="module")
def registered() -> Iterator[list[str]]:
    """Registers `cosh(a)`, `bigger(a, b)`, `where(a, b, c)`, `~a` and `a!`."""
    assert list(OPERATORS) == LIBRARY
    register_operator(Operator("cosh", "cosh", 1, weight=2.0, latex=r"\cosh\left({}\right)"), jnp.cosh)
    register_operator(Operator("maximum", "bigger", 2), jnp.maximum)
    register_operator(Operator("choice", "where", 3), lambda a, b, c: jnp.where(a > 0, b, c))
    register_operator(Operator("opposite", "~", 1, precedence=3, latex=r"\sim {}"), lambda a: 1 - a)
    register_operator(Operator("factorial", "!", 1, precedence=4), lambda a: a * (a + 1))
    yield list(OPERATORS)
    keep(LIBRARY)


@pytest.fixture(autouse=True)
def unchanged(registered: list[str]) -> Iterator[None]:
    """Every test leaves the table as it was."""
    yield
    keep(registered)


def keep(names: list[str]) -> None:
    for name in OPERATORS.keys() - names:
        del OPERATORS[name], OPERATIONS[name]


def parsed(text: str) -> LossTree:
    return LossTree.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("cosh(y)", "-cosh(x - y)^2", "0.5*cosh(y) * cosh(cosh(x))", "bigger(x - 1, -y) / bigger(0.5*y, -2)"),
        *("where(x, y - 1, where(y, 0.5, -x))", "~y", "~y^2", "(~y)^2", "~(x + y) * ~x", "-~-y", "~-2"),
        *("0.5*~y - ~(0.5*y)", "y!", "(y!)^2", "(y^0.7)!", "~y! + (x - y)!", "0.5*y! * (0.5*y)!"),
    ],
)
def test_a_text_is_printed_as_it_is(text: str) -> None:
    assert str(parsed(text)) == text


def test_a_formula_is_that_of_the_operator_or_its_name() -> None:
    assert to_latex(parsed("2 * cosh(x + y)^2")) == r"2 \, \left(\cosh\left(x + y\right)\right)^{2}"
    assert to_latex(parsed("where(x, y - 1, 0)")) == r"\operatorname{where}\left(x, y - 1, 0\right)"
    assert to_latex(parsed("y!")) == r"\operatorname{factorial}\left(y\right)"


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        (
            "cosq(y)",
            1,
            "the only names are x, y, log, sqrt, exp, abs, tanh, sin, cos, max, min, aq, cosh, bigger, where",
        ),
        ("cosh y", 6, "expected '(' after cosh, got 'y'; write cosh(y)"),
        ("bigger", 7, "expected '(' after bigger, got the end; write bigger(x, y)"),
        ("where x", 7, "write where(x, y, 1)"),
        ("bigger(x)", 9, "expected ',' and another operand, got ')'"),
        ("where(x, y)", 11, "expected ',' and another operand, got ')'"),
        ("where(x, , y)", 10, "got ','"),
        ("where(x, y, x, y)", 14, "got ','"),
        ("cosh(x, y)", 7, "got ','"),
        ("bigger((x, y), y)", 10, "got ','"),
        ("where(x, y, x", 6, "this '(' is never closed"),
        ("y~", 2, "expected one of + - * / ^ ! or the end, got '~'"),
        ("!y", 1, "got '!'"),
    ],
)
def test_an_error_says_where_and_why(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parsed(text)
    assert str(caught.value).startswith(f"At character {position}: ")
    assert message in str(caught.value).split("\n")[0]


@pytest.mark.parametrize("operator", ["choice", "maximum", "factorial", "opposite", "power"])
def test_the_largest_trees_are_read_back_whatever_their_coefficients(operator: str) -> None:
    register_operator(Operator("longest", "l" * 11, 1), jnp.sin)
    node = Node(operator, -1.2345678901234567e-100 if operator == "power" else 0)
    number = (MAX_NODES - 1) // (node.arity + 1)
    leaves = (Node("constant", -(2**24)),) * (1 + number * (node.arity - 1))
    tree = LossTree((node, Node("longest")) * number + leaves)
    tree = tree.with_coefficients([-2.2250738585072014e-308] * tree.size)
    assert parsed(str(tree)) == tree


def test_a_canonical_form_holds_an_opaque_function_of_canonical_operands() -> None:
    forms = {
        "cosh(y * 1 + x) + 0": "cosh(x + y)",
        "cosh(y) - cosh(y)": "0 * cosh(y)",
        "bigger(y + 0, x * 1)": "bigger(y, x)",
        "where(1 * x, y + 0, 2 - 1)": "where(x, y, 1)",
        "(y + 0)! * y!": "(y!)^2",
    }
    assert {text: str(canonical(parsed(text))) for text in forms} == forms
    assert not parsed("0.5*where(x, 1, y)").fold(node_bounds).finite


def test_it_is_drawn_where_it_is_named() -> None:
    drawn = {}
    for operators in (None, ("add", "cosh", "choice=3")):
        weights = GeneticConfig(operators=operators).operator_weights
        trees = [random_tree(np.random.default_rng(seed), 2, weights) for seed in range(100)]
        drawn[operators] = {node.operator for tree in trees for node in tree.nodes if node.arity}
        assert all(parsed(str(tree)) == tree for tree in trees)
    assert drawn[None].isdisjoint(OPERATORS.keys() - LIBRARY)
    assert drawn["add", "cosh", "choice=3"] == {"add", "cosh", "choice"}
    assert weights["cosh"] == 2


FORMULAS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "1.5*cosh(-2 * y) + log(y)": (
        lambda x, y: 1.5 * np.cosh(-2 * y) + np.log(y),
        lambda x, y: 3 * np.sinh(2 * y) + 1 / y,
    ),
    "bigger(x, y)": (np.maximum, lambda x, y: np.where(x == y, 0.5, x < y)),
    "where(x - 0.3, y^2, x / y) * y!": (
        lambda x, y: np.where(x > np.float32(0.3), y**2, x / y) * y * (y + 1),
        lambda x, y: np.where(x > np.float32(0.3), 4 * y**3 + 3 * y**2, x),
    ),
    "~y * where(1, where(0, y, 2 * y), x)": (lambda x, y: (1 - y) * 2 * y, lambda x, y: 2 - 4 * y),
}


def dual(function: Callable[[jax.Array], jax.Array], probs: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.jvp(function, (probs,), (jnp.ones_like(probs),))


@jax.jit
def interpreted(program: LossProgram, probs: jax.Array) -> tuple[jax.Array, jax.Array]:
    return dual(lambda probs: interpret(program, leaves_of(jnp.asarray(LABELS), probs)), probs)


@pytest.mark.parametrize("text", FORMULAS)
def test_value_and_gradient_are_those_of_numpy(text: str) -> None:
    value, slope = FORMULAS[text]
    program = LossProgram.from_tree(parsed(text), 16, OPERATORS.keys() - LIBRARY)  # all are known: one interpreter
    compiled = jax.jit(partial(dual, partial(compile_tree(parsed(text)), LABELS)))(PROBS)
    for values, slopes in (compiled, interpreted(program, PROBS)):
        np.testing.assert_allclose(values, value(LABELS, PROBS), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(slopes, slope(LABELS, PROBS), rtol=1e-4, atol=1e-6)


def test_an_operand_that_does_not_change_contributes_nothing_to_the_derivative() -> None:
    register_operator(Operator("root", "root", 1), lambda a: a**0.5)
    function = compile_tree(parsed("root(x) * log(y)"))
    assert jax.jit(jax.grad(function, argnums=1))(np.float32(0), np.float32(0.25)) == 0


def test_a_given_derivative_is_used() -> None:
    def softplus(a: jax.Array) -> jax.Array:
        return jax.lax.stop_gradient(jax.nn.softplus(a))  # JAX's own derivative is 0

    register_operator(Operator("softplus", "softplus", 1), softplus, jax.nn.sigmoid)
    slope = jax.jit(jax.grad(compile_tree(parsed("softplus(3 * y)")), argnums=1))(np.float32(0), np.float32(0.5))
    np.testing.assert_allclose(slope, 3 / (1 + np.exp(-1.5)), rtol=1e-5)


def test_only_programs_that_need_it_know_it() -> None:
    assert LossProgram.from_tree(parsed("x / y"), 4).operators == PAPER_OPERATORS
    assert LossProgram.from_tree(parsed("cosh(x)"), 4).operators == (*PAPER_OPERATORS, "cosh")


def test_the_identity_of_trainings_covers_its_function() -> None:
    train = make_train(LinearNetwork, glojax.load_dataset("digits"), TrainingConfig(2, 64, 0.05))
    identities = set()
    for function in (jnp.sinh, jnp.cosh):
        jax.clear_caches()  # it remembers programs by the names of operators, which are taken once elsewhere
        register_operator(NEW, function)
        identities.add(computation_identity(train))
        del OPERATORS["other"], OPERATIONS["other"]
    assert len(identities) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "exp"}, "its name must be a Python name that is not taken; taken are x, y, constant, log"),
        ({"name": "log power"}, "its name must be a Python name"),
        ({"symbol": "exp"}, "its symbol 'exp' must be a name, or for one operand a sign such as !, that is not taken"),
        ({"symbol": "x"}, "taken are x y log ^2 sqrt + - * /"),
        ({"symbol": "^"}, "its symbol '^' must be"),
        ({"symbol": "!"}, "its symbol '!' must be"),
        ({"symbol": "%", "arity": 2}, "its symbol '%' must be"),
        ({"symbol": "\N{GREEK SMALL LETTER ALPHA}"}, "must be a name"),
        ({"symbol": "e" * 12}, "too long; expected at most 11 characters"),
        ({"arity": 0}, "its arity is 0; expected 1, 2 or 3 operands"),
        ({"arity": 4}, "its arity is 4; expected 1, 2 or 3 operands"),
        ({"arity": 2}, r"its function fails on 2 float32 arrays (TypeError: "),
        ({"precedence": 1}, "its precedence is 1; expected 5, that of a call such as other(y)"),
        ({"symbol": "%"}, "its precedence is 5; expected 3 for %y or 4 for y%"),
        ({"weight": 0}, "its weight is 0; expected a finite number above 0"),
        ({"weight": float("nan")}, "its weight is nan"),
        ({"latex": "e^{}^{}"}, "expected a format string with 1 times {}"),
        ({"latex": "{"}, "expected a format string with 1 times {}"),
        ({"sympy": "exp(x)"}, "its sympy is 'exp(x)'; expected a name in SymPy, such as 'exp', a function, or None"),
    ],
)
def test_an_operator_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    before = dict(OPERATORS)
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        register_operator(NEW._replace(**change), jnp.exp)
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
        register_operator(NEW, function)
    assert "\n" not in str(caught.value)
    assert "other" not in OPERATORS
    assert "other" not in OPERATIONS


PRODUCT = Operator("other", "other", 2)


@pytest.mark.parametrize(
    ("operator", "function", "derivatives", "message"),
    [
        (NEW, jnp.square, [lambda a: a], r"its derivative in operand 1 is \S+ at \(\S+\); expected \S+, the slope of"),
        (NEW, jnp.log, [lambda a: -1 / a], r"its derivative in operand 1 is -1\.124 at \(0\.89\); expected 1\.124"),
        (
            *(PRODUCT, jnp.multiply, [lambda a, b: b, lambda a, b: b]),
            r"its derivative in operand 2 is -?\d\S* at \(-?\S+, -?\S+\); expected",
        ),
        (PRODUCT, jnp.multiply, [lambda a, b: b], "it has 1 derivatives; expected none, or one for each operand"),
        (NEW, jnp.square, [lambda a: 2.0], r"its derivative in operand 1 is 2 at \(-0\.31\); expected -0\.62"),
        (NEW, jnp.sinh, [lambda a: a * jnp.nan], r"its derivative in operand 1 is nan at \(.*\); expected"),
        (NEW, lambda a: a / jnp.sum(a), [], "its function is not elementwise"),
        (NEW, jnp.exp, [lambda a, b: a], r"its function or derivative fails on 1 float32 arrays \(TypeError"),
    ],
)
def test_a_derivative_that_is_not_that_of_the_function_is_refused(
    operator: Operator, function: Callable[..., jax.Array], derivatives: list[Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        register_operator(operator, function, *derivatives)
    assert "\n" not in str(caught.value)
    assert "other" not in OPERATORS


@pytest.mark.parametrize(
    ("function", "derivatives"),
    [
        (jnp.log, [lambda a: 1 / a]),  # undefined at negative operands
        (jnp.abs, [jnp.sign]),
        (lambda a: 2 * a, [lambda a: 2.0]),
        (jax.nn.relu, [lambda a: jnp.where(a > 0, 1.0, 0.0)]),
        (lambda a: jnp.clip(a, 0.07, 0.43), [lambda a: jnp.where((a > 0.07) & (a <= 0.43), 1.0, 0.0)]),  # two kinks
        (lambda a: a**-3, [lambda a: -3 * a**-4]),
        (jnp.hypot, [lambda a, b: a / jnp.hypot(a, b), lambda a, b: b / jnp.hypot(a, b)]),
        (lambda a, b, c: a * b + c, [lambda a, b, c: b, lambda a, b, c: a, lambda a, b, c: jnp.ones_like(c)]),
    ],
)
def test_a_derivative_that_is_that_of_the_function_is_not_refused(
    function: Callable[..., jax.Array], derivatives: list[Callable[..., jax.Array]]
) -> None:
    register_operator(Operator("other", "other", len(derivatives)), function, *derivatives)
    assert "other" in OPERATIONS
