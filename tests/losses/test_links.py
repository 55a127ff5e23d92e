"""Losses of labels that exclude no other, and of numbers."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from scipy.special import expit

from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import LossTree
from glojax.losses import CATALOG, DOMAINS, Link, Loss, LossProgram, find_tree, interpret, make_loss
from glojax.losses.compiled import compile_instructions
from glojax.losses.links import LINKS, Identity
from glojax.losses.objective import objective
from glojax.losses.stable import stable
from tests.derivatives import derivative
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

RNG = np.random.default_rng(0)
OUTPUTS = (RNG.normal(size=(6, 4)) * 3).astype(np.float32)
LABELS = RNG.integers(0, 2, (6, 4)).astype(np.float32)
TARGETS = (RNG.normal(size=(6, 4)) * 3).astype(np.float32)


@partial(jax.jit, static_argnums=0)
def dual(loss: Callable[..., jax.Array], outputs: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The losses' sum over labels, and the gradient in the outputs."""

    def summed(outputs: jax.Array) -> jax.Array:
        return loss(outputs, labels).reshape(len(outputs), -1).sum(axis=-1)

    values, pull_back = jax.vjp(summed, outputs)
    return values, pull_back(jnp.ones_like(values))[0]


def assert_same(ours: Loss, theirs: Callable[..., jax.Array], labels: np.ndarray) -> None:
    """Values and gradients in the outputs."""
    for mine, its in zip(dual(ours, OUTPUTS, labels), dual(theirs, OUTPUTS, labels), strict=True):
        np.testing.assert_allclose(mine, its, rtol=2e-6, atol=1e-6)


def test_binary_cross_entropy_of_a_sigmoid_is_that_of_optax() -> None:
    assert_same(make_loss("binary_cross_entropy", link="sigmoid"), optax.sigmoid_binary_cross_entropy, LABELS)


@pytest.mark.parametrize("text", ["log(y) - x / y", "x * (1 - y)^2 * log(y)", "1 - y^0.7", "log(x * y + 1)"])
def test_a_loss_of_a_sigmoid_is_its_formula(text: str) -> None:
    tree, probs = LossTree.parse(text), expit(OUTPUTS.astype(np.float64))
    values, gradient = dual(Loss(tree, link="sigmoid"), OUTPUTS, LABELS)
    np.testing.assert_allclose(values, -evaluate(tree, LABELS, probs).sum(axis=-1), rtol=2e-5, atol=1e-6)
    expected = -derivative(tree, LABELS, probs) * probs * (1 - probs)
    np.testing.assert_allclose(gradient, expected, rtol=2e-5, atol=1e-6)


def test_a_sigmoid_is_exact_at_both_ends() -> None:
    loss = make_loss("x * log(y) + (1 - x) * log(1 - y)", link="sigmoid")
    logits = np.array([-1e4, -100.0, -20.0, 0.0, 1e-3, 17.0, 90.0, -np.inf], np.float32)[:, None]
    for label in (0.0, 1.0):
        values, slopes = map(np.asarray, dual(loss, logits, np.full_like(logits, label)))
        if label == 0:
            assert values[-1] == 0
        with mpmath.workdps(60):
            for logit, value, slope in zip(logits[:-1, 0].tolist(), values[:-1], slopes[:-1, 0], strict=True):
                y = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
                exact = -(label * mpmath.log(y) + (1 - label) * mpmath.log(1 - y))
                assert float(value) == pytest.approx(float(exact), rel=1e-6)
                assert float(slope) == pytest.approx(float(y - label), rel=1e-6, abs=1e-37)


def test_the_second_derivative_of_a_sigmoid() -> None:
    loss = make_loss("x * log(y) + (1 - x) * log(1 - y)", link="sigmoid")
    points = np.array([-3.0, 0.0, 0.5, 30.0], np.float32)
    second = jax.jit(jax.vmap(jax.grad(jax.grad(lambda z: loss(z[None], np.array([1.0], np.float32))))))(points)
    probs = expit(points.astype(np.float64))
    np.testing.assert_allclose(second, probs * expit(-points.astype(np.float64)), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("squared_error", lambda y, x: 2 * optax.l2_loss(y, x)),
        ("absolute_error", lambda y, x: jnp.abs(y - x)),
        ("huber", optax.huber_loss),
        ("log_cosh", optax.log_cosh),
    ],
)
def test_losses_of_numbers_are_those_of_optax(name: str, theirs: Callable[..., jax.Array]) -> None:
    loss = make_loss(name)
    assert loss.link == "identity"
    assert_same(loss, theirs, TARGETS)


def test_denominators_of_numbers_keep_their_sign_and_a_distance_from_zero() -> None:
    outputs = np.array([-2.0, -1e-5, 0.0, 1e-5, 5.0], np.float32)[:, None]
    values, gradient = dual(make_loss("-1 / y", link="identity", prob_epsilon=1e-3), outputs, outputs)
    np.testing.assert_allclose(values, [-0.5, -1e3, 1e3, 1e3, 0.2], rtol=1e-6)
    assert np.isfinite(gradient).all()
    near = jax.jit(make_loss("-1 / (x - y)", link="identity", prob_epsilon=1e-3))
    np.testing.assert_allclose(
        near(np.array([[3.0], [3.0]], np.float32), np.array([[3.0], [2.9999]], np.float32)), [1e3, -1e3], rtol=1e-6
    )


@settings(deadline=None, max_examples=50)
@given(loss_trees(max_size=12) | loss_trees(max_size=10, operators=LIBRARY))
def test_an_expression_of_numbers_is_computed_as_it_is_written(tree: LossTree) -> None:
    """Also where x and y are negative: the logarithm of a product is then no sum of logarithms."""
    x, y = np.meshgrid([-2.0, -0.3, 0.5, 3.0], [-1.7, -0.25, 0.75, 1.5])
    expected, rough = (evaluate(tree, x, y, dtype) for dtype in (np.float64, np.float32))
    leaves = Identity.of(jnp.asarray(y, jnp.float32)).leaves(jnp.asarray(x, jnp.float32), 0.0)
    with jax.disable_jit():
        actual = np.asarray(compile_instructions(stable(tree, "real"))(leaves))
    trusted = np.isclose(expected, rough, rtol=1e-3, equal_nan=True) & (np.abs(expected) < 1e30)
    np.testing.assert_allclose(actual[trusted], expected[trusted], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("link", "names"),
    [("sigmoid", ("brier", "binary_cross_entropy")), ("identity", ("squared_error", "huber"))],
)
def test_a_program_and_its_loss_are_the_same(link: Link, names: tuple[str, ...]) -> None:
    labels, trees = LABELS if link == "sigmoid" else TARGETS, [CATALOG[name] for name in names]

    @jax.jit
    def both(programs: LossProgram) -> tuple[jax.Array, list[jax.Array]]:
        ours = jax.vmap(
            lambda program: objective(interpret, "sum", 1e-7, program, labels, jnp.asarray(OUTPUTS), link=LINKS[link])
        )(programs)
        return ours, [Loss(tree, link=link)(OUTPUTS, labels) for tree in trees]

    ours, expected = both(LossProgram.from_trees(trees, 64, domain=DOMAINS[link]))
    np.testing.assert_allclose(ours, expected, rtol=2e-6)


def test_options_of_other_links() -> None:
    loss = make_loss("huber")
    where = np.array([True, False, True, True])
    masked = jax.jit(partial(loss, where=where))(np.where(where, OUTPUTS, np.nan), TARGETS)
    kept = jax.jit(loss)(OUTPUTS[:, where], TARGETS[:, where])
    np.testing.assert_allclose(masked, kept, rtol=1e-6)
    assert repr(loss).endswith("link='identity')")


def test_what_does_not_fit_a_link_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="link is 'probit'; expected one of softmax, sigmoid, identity"):
        make_loss("x * log(y)", link="probit")  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match=r"The loss huber is for regression, and x and y are label and probab"):
        make_loss("huber", link="softmax")
    with pytest.raises(ExpressionError, match=r"cross_entropy is for classification, and x and y are numbers here"):
        find_tree("cross_entropy", "real")
    with pytest.raises(ConfigurationError, match=r"do not fit logits of shape \(6, 4\); expected shape \(6, 4\)\."):
        make_loss("huber")(OUTPUTS, np.zeros(6, np.int32))
    with pytest.raises(ConfigurationError, match="only losses of a softmax are exported"):
        make_loss("huber").to_python()
