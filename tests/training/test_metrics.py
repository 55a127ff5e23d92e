from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.datasets import load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training import METRICS, Metric, TrainingConfig, make_train
from glojax.training.metrics import (
    EVALUATION_BATCH_SIZE,
    _add_exactly,
    accuracy,
    mean_score,
    probabilities,
    true_class_prob,
)
from tests.linear_network import LinearNetwork

NUM_IMAGES = [1, 7, EVALUATION_BATCH_SIZE, EVALUATION_BATCH_SIZE + 1, 2 * EVALUATION_BATCH_SIZE + 99]


def mean_over(metric: Metric, logits: jax.Array, labels: jax.Array) -> float:
    """The mean over images that are their own logits."""
    return float(
        jax.jit(lambda logits, labels: mean_score(metric, lambda images: images, logits, labels))(logits, labels)
    )


@pytest.mark.parametrize("num_images", NUM_IMAGES)
def test_accuracy_is_exact_whatever_the_number_of_images(num_images: int) -> None:
    rng = np.random.default_rng(num_images)
    logits = jnp.float32(rng.normal(size=(num_images, 4)))
    labels = jnp.asarray(rng.integers(0, 4, num_images))
    num_correct = np.sum(np.asarray(logits).argmax(axis=-1) == np.asarray(labels))
    # XLA may multiply by the reciprocal of a constant.
    share = jax.jit(lambda count: count.astype(jnp.float32) / num_images)(jnp.int32(num_correct))
    assert mean_over(accuracy, logits, labels) == share


@pytest.mark.parametrize("num_images", NUM_IMAGES)
def test_the_probability_of_the_true_class_is_the_softmax_at_the_label(num_images: int) -> None:
    rng = np.random.default_rng(num_images)
    logits, labels = rng.normal(size=(num_images, 4)), rng.integers(0, 4, num_images)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    found = mean_over(true_class_prob, jnp.float32(logits), jnp.asarray(labels))
    assert found == pytest.approx(probs[np.arange(num_images), labels].mean(), rel=1e-6)


@pytest.mark.parametrize("metric", METRICS.values())
def test_logits_that_hold_a_nan_score_nothing(metric: Metric) -> None:
    logits = jnp.float32([[np.nan, 0.0], [np.nan, np.nan], [100.0, -100.0]])
    assert mean_over(metric, logits, jnp.zeros(3, jnp.int32)) == pytest.approx(1 / 3)


def test_a_score_that_is_not_finite_counts_as_nothing() -> None:
    scores = jnp.float32([[np.inf, 0.0], [-np.inf, 0.0], [0.5, 0.0]])
    assert mean_over(lambda logits, labels: logits[:, 0], scores, jnp.zeros(3, jnp.int32)) == pytest.approx(0.5 / 3)


def test_a_count_stays_exact_beyond_the_whole_numbers_of_float32() -> None:
    begin = (jnp.float32(2**24), jnp.float32(0))
    high, low = jax.lax.fori_loop(0, 1001, lambda _, total: _add_exactly(total, jnp.float32(1)), begin)
    assert int(high) + int(low) == 2**24 + 1001


def within_two(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """A metric from outside the package: whether the label's logit is one of the two largest."""
    true_logit = jnp.take_along_axis(logits, labels[:, None], axis=-1)
    return ((logits > true_logit).sum(axis=-1) < 2).astype(jnp.float32)


def test_a_training_is_scored_by_any_metric() -> None:
    digits = load_dataset("digits")
    config = TrainingConfig(num_steps=30, batch_size=64, learning_rate=0.05)
    program = LossProgram.from_tree(LossTree.parse("x * log(y)"), 8)

    def score(metric: str | Metric) -> float:
        train = make_train(LinearNetwork, digits, replace(config, metric=metric))
        return float(jax.jit(train)(program, jax.random.key(0)).scores["validation"])

    assert 0.1 < score("true_class_prob") < score("accuracy") < score(within_two) <= 1
    assert score(f"{__name__}:within_two") == score(within_two)
    with pytest.raises(ConfigurationError, match=r"metric .* gives int32 of shape \(1,\).*expected \[B\] float32"):
        make_train(LinearNetwork, digits, replace(config, metric=lambda logits, labels: labels))
    with pytest.raises(ConfigurationError, match=r"metric .* cannot be called with logits \[B, 10\] and labels \[B\]"):
        make_train(LinearNetwork, digits, replace(config, metric=lambda logits: logits))  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("num_images", [1, EVALUATION_BATCH_SIZE, 2 * EVALUATION_BATCH_SIZE + 99])
def test_probabilities_are_the_softmax_of_each_image_in_order(num_images: int) -> None:
    logits = np.random.default_rng(num_images).normal(size=(num_images, 4))
    expected = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    probs = jax.jit(lambda images: probabilities(lambda batch: batch, images))(jnp.float32(logits))
    np.testing.assert_allclose(probs, expected, atol=1e-6)
