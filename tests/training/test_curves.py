"""Learning curves, early stopping, and the networks that come back."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from glojax.datasets import load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import PureNetwork, from_functions
from glojax.tasks import TASKS, Metric
from glojax.tasks.metrics import accuracy
from glojax.training import (
    Train,
    TrainedNetworks,
    TrainingConfig,
    TrainResult,
    make_train,
    train_in_segments,
    train_population,
)


def errors(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    return 1 - accuracy(outputs, targets, weights)


#: One fails at once; the others become better and worse from one evaluation to the next.
LOSSES = ["x * log(y)", "x / (y - y)", "log(y) - x / y", "x * y", "0.05 * x * log(y)"]
PROGRAMS = LossProgram.from_trees([LossTree.parse(text) for text in LOSSES], 16)
RATES = np.full(len(LOSSES), 0.5, np.float32)
KEY = jax.random.key(3)
CONFIG = TrainingConfig(62, batch_size=64, learning_rate=0.5, evaluate_every=5, metric=Metric(errors, True))
PATIENCE = 2
DIGITS = load_dataset("digits")


class Noisy(nnx.Module):
    """One layer from zero, with keys and counts as state."""

    def __init__(self, rngs: nnx.Rngs):
        self.output = nnx.Linear(64, 10, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        logits: jax.Array = self.output(self.dropout(images.reshape(-1, 64)))
        return logits


@pytest.fixture(scope="module")
def measured() -> TrainResult:
    return train_population(make_train(Noisy, DIGITS, CONFIG), PROGRAMS, KEY)


@pytest.fixture(scope="module")
def impatient() -> Train:
    return make_train(Noisy, DIGITS, replace(CONFIG, patience=PATIENCE))


@pytest.fixture(scope="module")
def stopped(impatient: Train) -> tuple[TrainResult, TrainedNetworks]:
    """Chunks on a mesh."""
    mesh = jax.make_mesh((2,), ("population",), devices=jax.devices()[:2])
    return train_population(impatient, PROGRAMS, KEY, chunk_size=2, mesh=mesh, return_networks=True)


def assert_close(ours: Any, theirs: Any) -> None:
    # Rounding may move a few of 360 predictions across the border.
    np.testing.assert_allclose(ours, theirs, atol=5 / 360)


def test_a_curve_ends_at_the_score_of_a_training_without_it(measured: TrainResult) -> None:
    plain = train_population(make_train(Noisy, DIGITS, replace(CONFIG, evaluate_every=None)), PROGRAMS, KEY)
    assert plain.curve is None
    np.testing.assert_array_equal(plain.finite, measured.finite)
    np.testing.assert_array_equal(plain.num_steps, measured.num_steps)
    assert_close(plain.scores["validation"], measured.scores["validation"])
    assert CONFIG.evaluated_steps == (*range(5, 61, 5), 62)
    curve = np.asarray(measured.curve)
    assert curve.shape == (len(LOSSES), len(CONFIG.evaluated_steps))
    np.testing.assert_allclose(curve[:, -1], np.where(plain.finite, measured.scores["validation"], np.nan), rtol=1e-6)
    # From one evaluation to the next, the networks are different ones.
    assert len(np.unique(curve[0])) > 3


def assert_patient(result: TrainResult, measured: TrainResult) -> None:
    """Trainings are those that are measured, up to where their own curve says that they end, with the best network."""
    np.testing.assert_array_equal(result.finite, measured.finite)
    K, ends = len(CONFIG.evaluated_steps), set()
    for row in np.flatnonzero(np.asarray(measured.finite)):
        curve = np.asarray(result.curve)[row]
        end = next(n for n in range(1, K + 1) if n == K or n - 1 - np.argmin(curve[:n]) == PATIENCE)
        assert result.num_steps[row] == CONFIG.evaluated_steps[end - 1]
        assert np.isnan(curve[end:]).all()
        assert_close(curve[:end], np.asarray(measured.curve)[row, :end])
        np.testing.assert_allclose(result.scores["validation"][row], curve[:end].min(), rtol=1e-6)
        ends.add(end)
    assert len(ends) > 1
    assert min(ends) < K


def test_chunks_on_a_mesh_are_patient(stopped: tuple[TrainResult, TrainedNetworks], measured: TrainResult) -> None:
    assert_patient(stopped[0], measured)


def test_segments_are_patient(impatient: Train, measured: TrainResult) -> None:
    assert_patient(train_in_segments(impatient, PROGRAMS, KEY, RATES, 2), measured)


def test_predictions_are_those_of_the_networks_that_were_scored(stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    result, networks = stopped
    finite = np.asarray(result.finite)
    predicted = np.asarray(networks.predict(DIGITS.validation.inputs))[finite]
    np.testing.assert_allclose(predicted.sum(axis=-1), 1, rtol=1e-5)
    share = (predicted.argmax(axis=-1) != DIGITS.validation.targets).mean(axis=1)
    np.testing.assert_allclose(share, result.scores["validation"][finite], atol=1e-6)


def test_an_nnx_network_is_an_ordinary_module_in_evaluation(stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    _, networks = stopped
    module = networks.network(2)
    assert isinstance(module, Noisy)
    expected = networks.predict(DIGITS.validation.inputs)[2]
    np.testing.assert_allclose(nnx.softmax(module(jnp.asarray(DIGITS.validation.inputs))), expected, rtol=1e-5)


def test_networks_of_other_frameworks_are_variables_or_pairs() -> None:
    """Of one linear layer, in Linen and by hand."""
    inputs = np.ones((3, 4), np.uint8)

    def trained(network: Any, params: Any) -> TrainedNetworks:
        params = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params)
        return TrainedNetworks(params, {}, PureNetwork(network, (4,), 2), "none", TASKS["regression"])

    kernel = jnp.arange(8, dtype=jnp.float32).reshape(4, 2)
    dense = linen.Dense(2, use_bias=False)
    networks = trained(dense, {"kernel": kernel})
    by_hand = trained(from_functions(dense.init, lambda params, state, inputs, **_: (inputs @ params, state)), kernel)
    np.testing.assert_array_equal(dense.apply(networks.network(-1), inputs / 255), networks.predict(inputs)[1])
    params, state = by_hand.network(0)
    np.testing.assert_array_equal(params, kernel)
    assert state == {}
    np.testing.assert_allclose(by_hand.predict(inputs)[1], 2 * (inputs / 255) @ kernel, rtol=1e-6)


def test_what_does_not_fit_is_refused_in_one_line(stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    _, networks = stopped
    for inputs in (np.zeros((3, 9, 8, 1)), np.zeros((8, 8, 1)), np.zeros((0, 8, 8, 1))):
        with pytest.raises(ConfigurationError, match=r"Inputs are of shape \(.*\); expected \(N, 8, 8, 1\)\."):
            networks.predict(inputs)
    with pytest.raises(ConfigurationError, match="There is no network 5; expected an index from 0 to 4"):
        networks.network(5)
