import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import softmax

from glojax.errors import ConfigurationError, ExpressionError
from glojax.expressions import LossTree
from glojax.losses import (
    CATALOG,
    PUBLISHED,
    Loss,
    baikal,
    baikal_cma,
    compile_tree,
    cross_entropy,
    find_tree,
    make_loss,
    taylor_cross_entropy,
)
from tests.losses.exporting import dual_in_jax

LOGITS = (np.random.default_rng(5).normal(size=(20, 7)) * 3).astype(np.float32)
INTEGERS = np.arange(20, dtype=np.int32) % 7
ONE_HOT, PROBS = np.eye(7)[INTEGERS], softmax(LOGITS.astype(np.float64), axis=-1)


def losses(loss: Callable[..., jax.Array], labels: Any = INTEGERS) -> np.ndarray:
    return np.asarray(jax.jit(loss)(LOGITS, labels))


def test_cross_entropy_is_that_of_optax() -> None:
    theirs = optax.softmax_cross_entropy_with_integer_labels
    for mine, its in zip(*(dual_in_jax(loss, LOGITS, INTEGERS) for loss in (cross_entropy, theirs)), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)


def test_baikal_is_its_formula() -> None:
    expected = -(np.log(PROBS) - ONE_HOT / PROBS).sum(axis=-1)
    np.testing.assert_allclose(losses(baikal), expected, rtol=1e-5)


def test_baikal_cma_is_its_formula() -> None:
    inner = 0.9863 * np.log(1.5352 * PROBS) - -1.1135 * (1.3716 * ONE_HOT) / (-0.8411 * PROBS)
    np.testing.assert_allclose(losses(baikal_cma), -2.7279 * inner.sum(axis=-1), rtol=1e-5)


FORMULAS: dict[str, Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]] = {
    "focal": lambda x, y: -(x * (1 - y) ** 2 * np.log(y)),
    "poly1": lambda x, y: -x * np.log(y) + 2 * x * (1 - y),
    "generalized_cross_entropy": lambda x, y: x * (1 - y**0.7) / 0.7,
    "symmetric_cross_entropy": lambda x, y: -0.1 * x * np.log(y) - y * np.where(x == 1, 0, -4),
    "mean_absolute_error": lambda x, y: np.abs(x - y),
    "brier": lambda x, y: (x - y) ** 2,
    "label_smoothing": lambda x, y: -(0.9 * x + 0.1 / 10) * np.log(y),
    "taylor_cross_entropy": lambda x, y: x * ((1 - y) + (1 - y) ** 2 / 2),
    "confidence_penalty": lambda x, y: -x * np.log(y) + 0.1 * y * np.log(y),
    "next_generation": lambda x, y: np.exp(2.4092 - y - y * x) - np.cos(np.cos(np.sin(y))),
    "binary_cross_entropy": lambda x, y: -x * np.log(y) - (1 - x) * np.log(1 - y),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_loss_for_classes_is_its_formula(name: str) -> None:
    expected = FORMULAS[name](ONE_HOT, PROBS).sum(axis=-1)
    np.testing.assert_allclose(losses(make_loss(name)), expected, rtol=2e-6)


def test_every_loss_is_checked_against_another_source() -> None:
    elsewhere = {"cross_entropy", "baikal", "baikal_cma", "taylor_mnist", "taylor_early"}
    regression = {name for name, published in PUBLISHED.items() if published.purpose == "regression"}
    assert PUBLISHED.keys() == FORMULAS.keys() | elsewhere | regression


def test_losses_with_parameters_are_those_of_optax() -> None:
    one_hot = ONE_HOT.astype(np.float32)
    poly = losses(Loss(PUBLISHED["poly1"].tree(epsilon=0.5)))
    np.testing.assert_allclose(
        poly, losses(partial(optax.losses.poly_loss_cross_entropy, epsilon=0.5), one_hot), rtol=2e-6
    )
    smooth = losses(Loss(PUBLISHED["label_smoothing"].tree(epsilon=0.3, num_classes=7)))
    theirs = losses(optax.softmax_cross_entropy, 0.7 * one_hot + np.float32(0.3 / 7))
    np.testing.assert_allclose(smooth, theirs, rtol=2e-6)


@pytest.mark.parametrize("num_classes", [2, 7, 100])
def test_label_smoothing_of_a_number_of_classes_is_that_of_optax(num_classes: int) -> None:
    logits = np.random.default_rng(0).normal(size=(5, num_classes)).astype(np.float32)
    one_hot = np.eye(num_classes, dtype=np.float32)[np.arange(5) % num_classes]
    ours = make_loss(find_tree("label_smoothing", num_classes=num_classes))(logits, np.arange(5) % num_classes)
    theirs = optax.softmax_cross_entropy(logits, optax.smooth_labels(one_hot, 0.1))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert find_tree("label_smoothing", num_classes=10) == find_tree("label_smoothing")


DISTANCES = np.linspace(-5, 5, 41, dtype=np.float32)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (CATALOG["squared_error"], DISTANCES**2),
        (CATALOG["absolute_error"], np.abs(DISTANCES)),
        (CATALOG["log_cosh"], optax.losses.log_cosh),
        (CATALOG["huber"], optax.losses.huber_loss),
        (PUBLISHED["huber"].tree(delta=2.5), partial(optax.losses.huber_loss, delta=2.5)),
        (CATALOG["barron"], np.sqrt(DISTANCES**2 + 1) - 1),
        # alpha = -2, Geman and McClure's loss
        (PUBLISHED["barron"].tree(power=-1, scale=2), 2 * (DISTANCES / 2) ** 2 / ((DISTANCES / 2) ** 2 + 4)),
    ],
)
def test_a_loss_for_regression_is_its_formula(tree: LossTree, expected: Any) -> None:
    targets = np.full(len(DISTANCES), 3, np.float32)
    ours = jax.jit(compile_tree(tree))(targets, targets - DISTANCES)
    expected = jax.jit(expected)(DISTANCES) if callable(expected) else expected
    np.testing.assert_allclose(-np.asarray(ours), expected, rtol=2e-6, atol=2e-6)


def test_the_taylor_cross_entropy_approaches_cross_entropy() -> None:
    assert taylor_cross_entropy(2) == CATALOG["taylor_cross_entropy"]
    logits, expected = np.array([0.5, 0], np.float32), np.log1p(np.exp(-0.5))
    errors = [expected - float(jax.jit(Loss(taylor_cross_entropy(order)))(logits, 0)) for order in (1, 3, 9)]
    assert errors[0] > errors[1] > errors[2] > 0
    assert errors[2] < 1e-4


def test_an_unknown_parameter_and_a_bad_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown parameter 'beta' of the loss .*; expected gamma\."):
        PUBLISHED["focal"].tree(beta=1.0)
    with pytest.raises(ConfigurationError, match=r"These parameters give no loss, but .*exponent '0\.0' is out of"):
        PUBLISHED["focal"].tree(gamma=0.0)
    for value in ("a", None, np.inf):
        with pytest.raises(ConfigurationError, match=r"The parameter gamma is .*; expected a finite number\."):
            PUBLISHED["focal"].tree(gamma=value)
    with pytest.raises(ConfigurationError, match="order is 0; expected a whole number from 1 to 20"):
        taylor_cross_entropy(0)


@pytest.mark.parametrize("name", ["dice", "tversky", "discopop"])
def test_a_loss_of_another_form_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ExpressionError, match=f"The loss {name} cannot be written as an expression of x and y: it "):
        find_tree(name)


def minimum(loss: Loss, num_classes: int) -> float:
    """Probability of the true class at the loss's minimum, the others being equal: where the slope changes its sign."""

    def at(prob: jax.Array) -> jax.Array:
        others = jnp.full(num_classes - 1, (1 - prob) / (num_classes - 1))
        return loss(jnp.log(jnp.concatenate([prob[None], others])), jnp.asarray(0))

    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(at))
        return float(brentq(lambda prob: float(slope(jnp.float64(prob))), 1e-3, 0.999, xtol=1e-9))


def test_the_binary_minimum_of_baikal_cma() -> None:
    assert minimum(baikal_cma, 2) == pytest.approx(0.7719, abs=1e-4)


@pytest.mark.parametrize("num_classes", [2, 10])
def test_the_minimum_of_baikal_is_one_over_the_root_of_the_number_of_classes(num_classes: int) -> None:
    assert minimum(baikal, num_classes) == pytest.approx(num_classes**-0.5, abs=1e-4)


def test_catalogued_trees_are_found_by_name_and_others_by_text() -> None:
    assert find_tree("baikal") is CATALOG["baikal"]
    assert find_tree("x - y") == LossTree.parse("x - y")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ExpressionError, match=r"Unknown loss 'baical'\. Did you mean 'baikal'"):
        find_tree("baical")


def test_a_message_does_not_repeat_a_long_name() -> None:
    with pytest.raises(ExpressionError, match=r"unknown name 'baikalbaikalbaikalba'\.\.\.; the only names") as caught:
        find_tree("baikal" * 5_000)
    assert len(str(caught.value)) < 300


def test_a_published_loss_is_sent_to_another_process() -> None:
    for loss in (cross_entropy, baikal, baikal_cma):
        assert pickle.loads(pickle.dumps(loss)) == loss
