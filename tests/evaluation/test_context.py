"""The identity of what a pool computes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import optax
import pytest
from flax import nnx

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.evaluation import DevicePool, training_devices
from glojax.tasks import Metric, MetricFunction
from glojax.tasks.metrics import accuracy
from glojax.training import TrainingConfig
from tests.linear_network import LinearNetwork

CONFIG = TrainingConfig(20, batch_size=64, learning_rate=0.05)


def test_the_context_covers_data_and_configuration(digits: Dataset) -> None:
    other = Dataset("digits", digits.train, digits.splits["test"], digits.validation, 10)
    pool = DevicePool(LinearNetwork, digits)
    contexts = [
        pool.context(CONFIG),
        DevicePool(LinearNetwork, other).context(CONFIG),
        pool.context(replace(CONFIG, num_steps=11)),
        pool.context(replace(CONFIG, splits=("validation", "test"))),
        pool.context(replace(CONFIG, optimizer="adam")),
        pool.context(replace(CONFIG, metric="true_class_prob")),
        pool.context(replace(CONFIG, evaluate_every=5, patience=2)),
    ]
    assert len(set(contexts)) == len(contexts)


def test_the_direction_of_a_metric_counts_where_trainings_end_by_it(digits: Dataset) -> None:
    pool = DevicePool(LinearNetwork, digits)
    ends = replace(CONFIG, evaluate_every=5, patience=2)
    higher, lower = (Metric(accuracy, lower_is_better=lower) for lower in (False, True))
    assert pool.context(replace(ends, metric=higher)) != pool.context(replace(ends, metric=lower))
    assert pool.context(replace(CONFIG, metric=higher)) == pool.context(replace(CONFIG, metric=lower))


def test_the_context_does_not_depend_on_what_changes_no_result(digits: Dataset) -> None:
    def context(num_devices: int = 1, learning_rate: float = 0.05, **options: Any) -> str:
        pool = DevicePool(LinearNetwork, digits, devices=training_devices(num_devices), **options)
        return pool.context(replace(CONFIG, learning_rate=learning_rate))

    assert context() == context(num_devices=2)
    assert context() == context(chunk_size=3)
    assert context() == context(conv_lowering="grouped")
    assert context() == context(learning_rate=0.5)


def test_the_context_covers_the_network_by_what_it_computes(digits: Dataset) -> None:
    class Wider(LinearNetwork):
        def __init__(self, rngs: nnx.Rngs):
            self.hidden = nnx.Linear(64, 16, rngs=rngs)
            self.output = nnx.Linear(16, 10, rngs=rngs)

        def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
            logits: jax.Array = self.output(self.hidden(images.reshape(images.shape[0], -1)))
            return logits

    class Renamed(LinearNetwork):
        pass

    own, wider, renamed = (DevicePool(each, digits).context(CONFIG) for each in (LinearNetwork, Wider, Renamed))
    assert own == renamed
    assert own != wider


def test_the_context_covers_functions_by_what_they_compute(digits: Dataset) -> None:
    def momentum(decay: float) -> Callable[..., optax.GradientTransformation]:
        return lambda rate: optax.sgd(rate, momentum=decay)

    def metric(factor: float) -> MetricFunction:
        return lambda outputs, targets, weights: factor * accuracy(outputs, targets, weights)

    pool = DevicePool(LinearNetwork, digits)
    contexts = [
        pool.context(replace(CONFIG, optimizer=momentum(decay), metric=metric(factor)))
        for decay, factor in [(0.5, 1.0), (0.9, 1.0), (0.5, 2.0), (0.5, 1.0)]
    ]
    assert contexts[0] == contexts[3]
    assert len(set(contexts)) == 3


def test_a_configuration_that_does_not_fit_has_no_context(digits: Dataset) -> None:
    pool = DevicePool(LinearNetwork, digits)
    with pytest.raises(ConfigurationError, match="batch"):
        pool.context(replace(CONFIG, batch_size=5000))
