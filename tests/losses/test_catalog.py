import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import brentq

from glojax.errors import ExpressionError
from glojax.expressions import LossTree
from glojax.losses import CATALOG, Loss, baikal, baikal_cma, cross_entropy, find_tree

LOGITS = jnp.float32(np.random.default_rng(5).normal(size=(20, 7)) * 3)
INTEGERS = jnp.arange(20) % 7


def test_cross_entropy_is_that_of_optax() -> None:
    ours = jax.value_and_grad(lambda logits: cross_entropy(logits, INTEGERS).sum())(LOGITS)
    theirs = jax.value_and_grad(lambda logits: optax.softmax_cross_entropy_with_integer_labels(logits, INTEGERS).sum())(
        LOGITS
    )
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)


def test_baikal_is_its_formula() -> None:
    probs, labels = np.asarray(jax.nn.softmax(LOGITS), np.float64), np.eye(7)[np.asarray(INTEGERS)]
    expected = -(np.log(probs) - labels / probs).sum(axis=-1)
    np.testing.assert_allclose(baikal(LOGITS, INTEGERS), expected, rtol=1e-5)


def test_baikal_cma_is_its_formula() -> None:
    probs, labels = np.asarray(jax.nn.softmax(LOGITS), np.float64), np.eye(7)[np.asarray(INTEGERS)]
    inner = 0.9863 * np.log(1.5352 * probs) - -1.1135 * (1.3716 * labels) / (-0.8411 * probs)
    np.testing.assert_allclose(baikal_cma(LOGITS, INTEGERS), -2.7279 * inner.sum(axis=-1), rtol=1e-5)


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


@pytest.mark.parametrize("num_classes", [2, 3, 10, 100])
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
