"""Losses of labels that exclude no other, and of numbers."""

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
from tests.oracle import evaluate
from tests.tree_strategies import LIBRARY, loss_trees

RNG = np.random.default_rng(0)
OUTPUTS = jnp.asarray(RNG.normal(size=(6, 4)) * 3, jnp.float32)
LABELS = jnp.asarray(RNG.integers(0, 2, (6, 4)), jnp.float32)
TARGETS = jnp.asarray(RNG.normal(size=(6, 4)) * 3, jnp.float32)


def assert_same(ours: Loss, theirs: object, labels: jax.Array) -> None:
    """Values and gradients in the outputs."""

    def value_and_gradient(loss: object) -> tuple[jax.Array, jax.Array]:
        return jax.value_and_grad(lambda outputs: loss(outputs, labels).sum())(OUTPUTS)  # type: ignore[operator]

    for mine, its in zip(value_and_gradient(ours), value_and_gradient(theirs), strict=True):
        np.testing.assert_allclose(mine, its, rtol=2e-6, atol=1e-6)


def test_binary_cross_entropy_of_a_sigmoid_is_that_of_optax() -> None:
    assert_same(make_loss("binary_cross_entropy", link="sigmoid"), optax.sigmoid_binary_cross_entropy, LABELS)


@pytest.mark.parametrize("text", ["log(y) - x / y", "x * (1 - y)^2 * log(y)", "1 - y^0.7", "log(x * y + 1)"])
def test_a_sigmoid_is_the_first_class_of_a_softmax_with_a_zero_beside_it(text: str) -> None:
    pairs = jnp.stack([OUTPUTS, jnp.zeros_like(OUTPUTS)], axis=-1)
    loss = Loss(LossTree.parse(text))
    first = jnp.array([1.0, 0.0])  # the other class has no part in the loss
    both = jax.value_and_grad(
        lambda outputs: loss(pairs.at[..., 0].set(outputs), jnp.stack([LABELS, 1 - LABELS], -1), weights=first).sum()
    )(OUTPUTS)
    one = jax.value_and_grad(lambda outputs: make_loss(text, link="sigmoid")(outputs, LABELS).sum())(OUTPUTS)
    for mine, its in zip(one, both, strict=True):
        np.testing.assert_allclose(mine, its, rtol=2e-5, atol=1e-6)


def test_a_sigmoid_is_exact_at_both_ends() -> None:
    loss = make_loss("x * log(y) + (1 - x) * log(1 - y)", link="sigmoid")
    with mpmath.workdps(60):
        for logit in (-1e4, -100.0, -20.0, 0.0, 1e-3, 17.0, 90.0):
            for label in (0.0, 1.0):
                y = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
                value, slope = jax.value_and_grad(lambda z, x=label: loss(z[None], jnp.float32([x])))(
                    jnp.float32(logit)
                )
                exact = -(label * mpmath.log(y) + (1 - label) * mpmath.log(1 - y))
                assert float(value) == pytest.approx(float(exact), rel=1e-6)
                assert float(slope) == pytest.approx(float(y - label), rel=1e-6, abs=1e-37)
    assert float(loss(jnp.float32([-jnp.inf]), jnp.float32([0.0]))) == 0


def test_the_second_derivative_of_a_sigmoid() -> None:
    loss = make_loss("x * log(y) + (1 - x) * log(1 - y)", link="sigmoid")
    points = jnp.float32([-3.0, 0.0, 0.5, 30.0])
    second = jax.vmap(jax.grad(jax.grad(lambda z: loss(z[None], jnp.float32([1.0])))))(points)
    probs = expit(np.float64(points))
    np.testing.assert_allclose(second, probs * expit(-np.float64(points)), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("squared_error", lambda y, x: 2 * optax.l2_loss(y, x)),
        ("absolute_error", lambda y, x: jnp.abs(y - x)),
        ("huber", optax.huber_loss),
        ("log_cosh", optax.log_cosh),
    ],
)
def test_losses_of_numbers_are_those_of_optax(name: str, theirs: object) -> None:
    loss = make_loss(name)
    assert loss.link == "identity"
    assert_same(loss, theirs, TARGETS)


def test_denominators_of_numbers_keep_their_sign_and_a_distance_from_zero() -> None:
    loss = make_loss("-1 / y", link="identity", prob_epsilon=1e-3)
    outputs = jnp.float32([-2.0, -1e-5, 0.0, 1e-5, 5.0])[:, None]
    np.testing.assert_allclose(loss(outputs, outputs), [-0.5, -1e3, 1e3, 1e3, 0.2], rtol=1e-6)
    assert np.isfinite(jax.grad(lambda outputs: loss(outputs, outputs).sum())(outputs)).all()
    near = make_loss("-1 / (x - y)", link="identity", prob_epsilon=1e-3)
    np.testing.assert_allclose(
        near(jnp.float32([[3.0], [3.0]]), jnp.float32([[3.0], [2.9999]])), [1e3, -1e3], rtol=1e-6
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


@pytest.mark.parametrize("link", ["sigmoid", "identity"])
def test_a_program_and_its_loss_are_the_same(link: Link) -> None:
    labels = LABELS if link == "sigmoid" else TARGETS
    for name in ("brier", "squared_error", "huber", "binary_cross_entropy"):
        tree = CATALOG[name]
        program = LossProgram.from_tree(tree, 64, domain=DOMAINS[link])
        ours = objective(interpret, "sum", 1e-7, program, labels, OUTPUTS, link=LINKS[link])
        np.testing.assert_allclose(ours, Loss(tree, link=link)(OUTPUTS, labels), rtol=2e-6)


def test_options_of_other_links() -> None:
    loss = make_loss("huber")
    where = jnp.array([True, False, True, True])
    masked = jnp.where(where, OUTPUTS, jnp.nan)
    kept = loss(OUTPUTS[:, [0, 2, 3]], TARGETS[:, [0, 2, 3]])
    np.testing.assert_allclose(loss(masked, TARGETS, where=where), kept, rtol=1e-6)
    assert repr(loss).endswith("link='identity')")


def test_what_does_not_fit_a_link_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="link is 'probit'; expected one of softmax, sigmoid, identity"):
        make_loss("x * log(y)", link="probit")  # type: ignore[arg-type]
    with pytest.raises(ExpressionError, match=r"The loss huber is for regression, and x and y are label and probab"):
        make_loss("huber", link="softmax")
    with pytest.raises(ExpressionError, match=r"cross_entropy is for classification, and x and y are numbers here"):
        find_tree("cross_entropy", "real")
    with pytest.raises(ConfigurationError, match=r"do not fit logits of shape \(6, 4\); expected shape \(6, 4\)\."):
        make_loss("huber")(OUTPUTS, jnp.zeros(6, jnp.int32))
    with pytest.raises(ConfigurationError, match="only losses of a softmax are exported"):
        make_loss("huber").to_python()
