from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.datasets import Dataset, load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.tasks import MetricFunction
from glojax.tasks.metrics import accuracy
from glojax.training import Train, TrainingConfig, TrainResult, TrainState, make_train
from glojax.training.metrics import EVALUATION_BATCH_SIZE, outputs_of
from tests.linear_network import LinearNetwork

CONFIG = TrainingConfig(num_steps=30, batch_size=64, learning_rate=0.05)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def within_two(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """A metric from outside the package: whether the output of the class is one of the two largest."""
    own = jnp.take_along_axis(outputs, targets[:, None], axis=-1)
    return jnp.average(((outputs > own).sum(axis=-1) < 2).astype(jnp.float32), weights=weights)


@pytest.fixture(scope="module")
def state(digits: Dataset) -> TrainState:
    """The end of a training, which no metric changes."""
    train, key = make_train(LinearNetwork, digits, CONFIG), jax.random.key(0)
    program = LossProgram.from_tree(LossTree.parse("x * log(y)"), 8)
    trained: TrainState = jax.jit(lambda: train.advance(train.begin(key), program, key, jnp.float32(0.05), 0, 30))()
    return trained


def result(digits: Dataset, state: TrainState, metric: str | MetricFunction | None) -> TrainResult:
    train = make_train(LinearNetwork, digits, replace(CONFIG, metric=metric))
    finished: TrainResult = jax.jit(Train.finish)(train, state)
    return finished


def test_a_training_is_scored_by_any_metric(digits: Dataset, state: TrainState) -> None:
    names = ("true_class_prob", None, within_two)
    probs, right, among_two = (float(result(digits, state, metric).scores["validation"]) for metric in names)
    assert 0.1 < probs < right < among_two <= 1
    config = TrainingConfig(1, 1, 0.1, metric=f"{__name__}:within_two")
    assert config.metric is within_two


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda outputs, targets, weights: targets, r"metric .* gives int32 of shape \(360,\); expected one float32"),
        (lambda outputs, targets, weights: weights.sum(dtype=jnp.int32), r"gives int32 of shape \(\)"),
        (
            lambda outputs: outputs,
            r"metric .* cannot be called with outputs \(360, 10\), targets \(360,\) and weights: ",
        ),
        (lambda outputs, targets, weights: jnp.log(-weights.sum()), "is nan on the validation split of digits for"),
        ("r2", "metric is 'r2', which is none for classification; expected one of accuracy, "),
    ],
)
def test_a_metric_that_gives_no_number_is_refused_before_training(digits: Dataset, metric: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        make_train(LinearNetwork, digits, replace(CONFIG, metric=metric))
    assert "\n" not in str(caught.value)


def test_a_score_that_is_not_finite_is_a_failure(digits: Dataset, state: TrainState) -> None:
    """It is finite for outputs of noise, and not for those of a trained network."""

    def strange(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
        return jnp.log(0.5 - accuracy(outputs, targets, weights))

    failed = result(digits, state, strange)
    assert not failed.finite
    assert failed.num_steps == 30
    assert failed.scores["validation"] == 0


@pytest.mark.parametrize("num_examples", [1, EVALUATION_BATCH_SIZE, 2 * EVALUATION_BATCH_SIZE + 99])
def test_outputs_are_those_of_each_example_in_order(num_examples: int) -> None:
    inputs = np.random.default_rng(num_examples).normal(size=(num_examples, 4)).astype(np.float32)
    outputs = jax.jit(lambda inputs: outputs_of(lambda batch: 2 * batch, inputs))(inputs)
    np.testing.assert_allclose(outputs, 2 * inputs, rtol=1e-6)
