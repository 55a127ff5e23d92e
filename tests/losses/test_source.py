"""Exported source, executed, against exact arithmetic, complex steps and the losses that it was exported from."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from numpy.typing import NDArray

from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import MAX_NODES, OPERATORS, LossTree, Node, Operator
from glojax.losses import CATALOG, Loss, make_loss, register_operator
from glojax.losses.operations import OPERATIONS
from tests.derivatives import loss_gradient
from tests.losses.exact import Reference, reference
from tests.losses.exporting import Dual, dual_in_jax, dual_in_torch, exported
from tests.oracle import evaluate
from tests.tree_strategies import loss_trees

TARGETS = ("python", "jax", "torch", "sympy")
DUALS: dict[str, Callable[..., Any]] = {"jax": dual_in_jax, "torch": dual_in_torch}
FRAMEWORKS = tuple(DUALS)
TEXTS = (
    "x * log(y) + (1 - x) * log(1 - y)",
    "log(y) - x / y",
    "x / (1 - y) + sqrt(x * (1 - y))",
    "x * (1 - y)^2 * log(y) - (x - y)^2",
    "log(1 - y) / (x - y + 2)",
)

#: The label is the class of the largest logit, or not, by margins from nothing to certainty.
LOGITS = np.array([[d, 0, -0.5, 1 - d] for d in (0, 4, 17, 40) for _ in range(2)] + [[-999, 0, -0.5, 1e3]], np.float32)
INTEGERS = np.arange(len(LOGITS), dtype=np.int32) % 2
SOFT = np.random.default_rng(0).dirichlet(np.ones(4), len(LOGITS)).astype(np.float32)


def duals(losses: Mapping[str, Loss], framework: str, labels: NDArray[Any]) -> dict[str, Dual]:
    """Values and gradients of the exported losses, on the logits above."""
    functions = {name: exported(loss, framework) for name, loss in losses.items()}
    if framework == "torch":
        return {name: dual_in_torch(function, LOGITS, labels) for name, function in functions.items()}
    return together(functions, labels)


def together(functions: Mapping[str, Callable[..., jax.Array]], labels: NDArray[Any]) -> dict[str, Dual]:
    """Values and gradients of functions that JAX compiles together, on the logits above."""
    run = jax.jit(lambda logits, labels: {name: dual_in_jax(each, logits, labels) for name, each in functions.items()})
    return {name: (np.asarray(value), np.asarray(slope)) for name, (value, slope) in run(LOGITS, labels).items()}


@cache
def references(text: str) -> list[Reference]:
    """The exact losses and gradients on the logits above."""
    tree, one_hot = LossTree.parse(text), np.eye(4)
    rows = zip(LOGITS, INTEGERS, strict=True)
    return [reference(tree, one_hot[label].tolist(), logits.tolist(), 1e-7) for logits, label in rows]


@pytest.mark.parametrize("text", TEXTS)
def test_numpy_s_source_is_exact_at_both_ends(text: str) -> None:
    values = exported(make_loss(text), "python")(LOGITS, INTEGERS)
    for ours, exact in zip(values, references(text), strict=True):
        assert abs(ours - exact.loss) <= 1e-13 * exact.loss_scale


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_value_and_gradient_are_exact_at_both_ends(framework: str) -> None:
    for text, (values, gradients) in duals({text: make_loss(text) for text in TEXTS}, framework, INTEGERS).items():
        for row, exact in enumerate(references(text)):
            assert abs(values[row] - exact.loss) <= 3e-6 * exact.loss_scale + 1e-37
            pairs = zip(gradients[row].tolist(), exact.gradient, exact.gradient_scale, strict=True)
            assert all(abs(ours - theirs) <= 3e-6 * scale + 1e-37 for ours, theirs, scale in pairs), (text, row)


FURTHER = (
    *("exp(y) * tanh(3 * x - y) + sin(y) * cos(2 * y)", "max(x, 2 * y) - min(x * y, 0.25) * abs(x - 2 * y)"),
    *("aq(x, y) * (x * y)^0.7 + (x + y)^-1.5", "x * (1 - y)^2.5", "-x * (1 - y^0.7)"),
)
OF_THE_FORM_OF_OTHERS = ("baikal", "squared_error", "taylor_early")
EXPORTED = {name: Loss(CATALOG[name], "mean", 1e-6) for name in CATALOG if name not in OF_THE_FORM_OF_OTHERS}
EXPORTED |= {text: make_loss(text) for text in FURTHER}


@pytest.fixture(scope="module")
def expected() -> dict[str, Dual]:
    """Values and gradients of the losses themselves."""
    return together(EXPORTED, SOFT)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_published_losses_and_further_operators_are_what_they_were_exported_from(
    framework: str, expected: dict[str, Dual]
) -> None:
    for name, ours in duals(EXPORTED, framework, SOFT).items():
        for mine, its in zip(ours, expected[name], strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-5, atol=2e-6 * np.abs(its).max(), err_msg=name)


def test_further_operators_in_numpy_are_what_they_were_exported_from(expected: dict[str, Dual]) -> None:
    for text in FURTHER:
        values = exported(EXPORTED[text], "python")(LOGITS, SOFT)
        np.testing.assert_allclose(values, expected[text][0], rtol=1e-5, atol=1e-6, err_msg=text)


RANDOM_LOGITS = np.random.default_rng(1).normal(size=(6, 4)) * 3
ONE_HOT = np.eye(4)[np.arange(6) % 4]


def finite_and_stable(tree: LossTree) -> NDArray[np.bool_]:
    """Where the oracle's value and gradient are finite, and hardly change when the logits do."""
    here, there = (_oracle(tree, RANDOM_LOGITS * scale) for scale in (1, 1 + 1e-12))
    with np.errstate(all="ignore"):
        size = np.abs(here).max(axis=-1)
        good: NDArray[np.bool_] = (size < 1e30) & (np.abs(here - there).max(axis=-1) <= 1e-9 * size)
    return good


def _oracle(tree: LossTree, logits: NDArray[Any]) -> NDArray[Any]:
    """Value and gradient as one array [B, 1 + C]."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    with np.errstate(all="ignore"):
        values = -evaluate(tree, ONE_HOT, powers / powers.sum(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True)
        return np.concatenate([values, loss_gradient(tree, ONE_HOT, logits)], axis=-1)


def assert_is_the_oracle(tree: LossTree, values: NDArray[Any], gradients: NDArray[Any]) -> None:
    good = finite_and_stable(tree)
    ours, expected = np.concatenate([values[:, None], gradients], axis=-1)[good], _oracle(tree, RANDOM_LOGITS)[good]
    assert np.all(np.abs(ours - expected).max(axis=-1) <= 1e-6 * np.abs(expected).max(axis=-1))


@settings(deadline=None, max_examples=60)
@given(loss_trees(max_size=16, coefficients=True))
def test_numpy_s_source_of_any_tree_is_its_function(tree: LossTree) -> None:
    with np.errstate(all="ignore"):
        values = exported(Loss(tree, prob_epsilon=0.0), "python")(RANDOM_LOGITS, ONE_HOT)
    assert_is_the_oracle(tree, values, _oracle(tree, RANDOM_LOGITS)[:, 1:])


@settings(deadline=None, max_examples=5)
@given(loss_trees(max_size=16, coefficients=True))
def test_jax_s_source_of_any_tree_has_its_value_and_gradient(tree: LossTree) -> None:
    with jax.enable_x64(True):
        loss = exported(Loss(tree, prob_epsilon=0.0), "jax")
        dual = dual_in_jax(loss, jnp.asarray(RANDOM_LOGITS), jnp.asarray(ONE_HOT))
    assert_is_the_oracle(tree, *map(np.asarray, dual))


@settings(deadline=None, max_examples=60)
@given(loss_trees(max_size=16, coefficients=True))
def test_pytorch_s_source_of_any_tree_has_its_value_and_gradient(tree: LossTree) -> None:
    assert_is_the_oracle(tree, *dual_in_torch(exported(Loss(tree, prob_epsilon=0.0), "torch"), RANDOM_LOGITS, ONE_HOT))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_label_that_is_no_class_has_no_loss_and_no_gradient(framework: str) -> None:
    logits = np.array([[1, 2, 3], [np.nan, np.inf, 0], [1, 2, 3]], np.float32)
    labels = np.array([-1, -100, 3], np.int32)
    for zeros in DUALS[framework](exported(make_loss("log(y) - x / y"), framework), logits, labels):
        np.testing.assert_array_equal(zeros, np.zeros_like(zeros))
    np.testing.assert_array_equal(exported(make_loss("log(y) - x / y"), "python")(logits, labels), np.zeros(3))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_minus_infinity_is_a_class_that_is_impossible(framework: str) -> None:
    logits = np.array([[-np.inf, 2, 1]], np.float32)
    loss = exported(make_loss("x * log(y)"), framework)
    value, gradient = DUALS[framework](loss, logits, np.eye(3, dtype=np.float32)[1:2])
    assert float(value[0]) == pytest.approx(np.log1p(np.exp(-1)), rel=1e-6)
    np.testing.assert_allclose(gradient[0], np.array([0, -1, 1]) / (1 + np.exp(1)), rtol=1e-6)


@pytest.mark.parametrize(("framework", "dtype"), [("jax", "bfloat16"), ("torch", "bfloat16"), ("torch", "float16")])
def test_short_floats_are_computed_in_float32(framework: str, dtype: str) -> None:
    logits = np.random.default_rng(2).integers(-4, 4, (8, 1_000)).astype(np.float32)
    labels = np.arange(8, dtype=np.int32)
    expected = exported(make_loss("x / sqrt(y)"), "python")(logits, labels)
    loss = exported(make_loss("x / sqrt(y)"), framework)
    if framework == "torch":
        import torch

        short = loss(torch.tensor(logits).to(getattr(torch, dtype)), torch.tensor(labels))
    else:
        short = jax.jit(loss)(logits.astype(jnp.bfloat16), labels)
    assert str(short.dtype).endswith(dtype)
    unit_roundoff = {"bfloat16": 2**-8, "float16": 2**-11}[dtype]
    np.testing.assert_allclose(short.tolist(), expected, rtol=1.001 * unit_roundoff)


def test_sympy_s_source_is_exact() -> None:
    logits = [sympy.Rational(1, 2), sympy.Integer(-3), sympy.Integer(40)]
    for text in ("log(y) - x / y", "0.3*x * sqrt(y) - 1 / 3", "x * (1 - y)^2 * log(y)"):
        exact = reference(LossTree.parse(text), [0, 1, 0], [0.5, -3.0, 40.0], 0.0).loss
        loss = exported(make_loss(text), "sympy")
        with mpmath.workdps(40):
            assert abs(mpmath.mpf(sympy.N(loss(logits, 1), 30)) - exact) <= 1e-25 * abs(exact)
        assert loss(logits, [0, 1, 0]) == loss(logits, 1)


def test_sympy_s_source_differentiates_symbols() -> None:
    z = sympy.symbols("z:2", real=True)
    gradient = sympy.diff(exported(make_loss("x * log(y)", class_reduction="mean"), "sympy")(z, 0), z[0])
    assert sympy.simplify(gradient + 1 / (2 + 2 * sympy.exp(z[0] - z[1]))) == 0


def test_sympy_s_source_knows_no_other_class() -> None:
    assert exported(make_loss("log(y)"), "sympy")([1, 2], 2) == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("log(2) * y", np.log(2) / 2),
        ("1 / 0 - y", np.inf),
        ("(-2)^2 * x", 2.0),
        ("-2 * y^2", -0.5),
        ("sqrt(4) - -y", 2.5),
        ("2 / 3 / 4 - (1 - (2 - 3))", 1 / 6 - 2),
    ],
)
def test_numbers_are_computed_as_the_loss_computes_them(text: str, value: float) -> None:
    loss = exported(make_loss(text, class_reduction="mean"), "python")
    with np.errstate(divide="ignore"):
        assert float(loss(np.zeros(2), np.full(2, 0.5))) == pytest.approx(-value, rel=1e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_numbers_are_arrays_where_functions_take_them(framework: str) -> None:
    loss = exported(make_loss("(-2)^2 * log(2) - 1 / (2 / 3) - sqrt(3)"), framework)
    (value,), _ = DUALS[framework](loss, np.zeros((1, 2), np.float32), SOFT[:1, :2])
    assert float(value) == pytest.approx(-2 * (4 * np.log(2) - 1.5 - 3**0.5), rel=1e-6)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CATALOG)
def test_the_source_is_short(name: str, target: Any) -> None:
    lines = Loss(CATALOG[name]).to_python(target).splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 120


def test_the_source_holds_what_the_tree_needs() -> None:
    source = make_loss("x * log(y)").to_python("jax")
    assert "values = x * log_y" in source
    assert re.findall(r"bounded|one_minus|sqrt|np\.exp\(log_y", source) == []


@pytest.mark.parametrize("operators", [("sqrt",), ("log", "sqrt"), ("square", "sqrt"), ("divide", "add")])
def test_the_largest_tree_is_written_without_nesting(operators: tuple[str, ...]) -> None:
    nodes = [Node(operators[index % len(operators)]) for index in range(MAX_NODES // 2 - 1)]
    leaves = [Node("y")] + [Node("x")] * sum(node.arity - 1 for node in nodes)
    tree = LossTree((*nodes, *leaves)).replace(0, LossTree((*nodes, *leaves)))
    with np.errstate(all="ignore"):
        ours = exported(Loss(tree, prob_epsilon=0.0), "python")(np.log([[0.25, 0.75]]), np.array([[0.5, 0.5]]))
        theirs = -evaluate(tree, [0.5, 0.5], [0.25, 0.75]).sum()
    np.testing.assert_allclose(ours[0], theirs, rtol=1e-9)
    assert max(map(len, Loss(tree).to_python().splitlines())) <= 4_000


@pytest.fixture
def hyperbolic() -> Iterator[None]:
    register_operator(Operator("hyperbolic", "hyp", 1), jnp.tanh)
    yield
    del OPERATORS["hyperbolic"], OPERATIONS["hyperbolic"]


@pytest.mark.usefixtures("hyperbolic")
@pytest.mark.parametrize("target", TARGETS)
def test_an_operator_that_the_target_lacks_is_refused(target: Any) -> None:
    with pytest.raises(
        ExpressionError, match=rf"^The operator 'hyp' cannot be exported to {target}.*aq, \^\.$"
    ) as caught:
        make_loss("x * hyp(y)").to_python(target)
    assert "\n" not in str(caught.value)


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"Unknown target 'jaxx'\. Did you mean 'jax'\? Expected one of python"
    ):
        make_loss("x").to_python("jaxx")  # type: ignore[arg-type]


def test_a_formula_has_the_sum_over_the_classes() -> None:
    loss = make_loss("x * log(y)", class_reduction="mean")
    assert loss.to_latex() == r"-\frac{1}{n} \sum_{i} \left(x \, \log\left(y\right)\right)"
    assert loss._repr_latex_() == f"${loss.to_latex()}$"
