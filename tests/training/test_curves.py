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
def stopped() -> tuple[TrainResult, TrainedNetworks]:
    train = make_train(Noisy, DIGITS, replace(CONFIG, patience=PATIENCE))
    return train_population(train, PROGRAMS, jnp.stack([KEY] * len(LOSSES)), return_networks=True)


def assert_same(ours: Any, theirs: Any) -> None:
    for pair in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        are_keys = jnp.issubdtype(pair[0].dtype, jax.dtypes.prng_key)
        one, other = map(jax.random.key_data, pair) if are_keys else pair
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_curve_ends_at_the_score_of_a_training_without_it(measured: TrainResult) -> None:
    plain = train_population(make_train(Noisy, DIGITS, replace(CONFIG, evaluate_every=None)), PROGRAMS, KEY)
    assert plain.curve is None
    assert_same(replace(measured, curve=None), plain)
    assert CONFIG.evaluated_steps == (*range(5, 61, 5), 62)
    assert measured.curve is not None
    assert measured.curve.shape == (len(LOSSES), len(CONFIG.evaluated_steps))
    np.testing.assert_array_equal(measured.curve[:, -1], np.where(plain.finite, plain.scores["validation"], np.nan))


def test_patience_stops_where_the_curve_says_and_keeps_the_best_network(
    measured: TrainResult, stopped: tuple[TrainResult, TrainedNetworks]
) -> None:
    result, networks = stopped
    np.testing.assert_array_equal(result.finite, measured.finite)
    curves, K = np.asarray(measured.curve), len(CONFIG.evaluated_steps)
    ends = []
    for row in np.flatnonzero(measured.finite):
        end = next(n for n in range(1, K + 1) if n == K or n - 1 - np.argmin(curves[row, :n]) == PATIENCE)
        ends.append(end)
        assert result.num_steps[row] == CONFIG.evaluated_steps[end - 1]
        assert result.scores["validation"][row] == curves[row, :end].min()
        expected = np.where(np.arange(K) < end, curves[row], np.nan)
        np.testing.assert_array_equal(np.asarray(result.curve)[row], expected)
    # Some end in other segments than others, and not with their best network.
    assert len(set(ends)) > 1
    assert min(ends) < K
    predicted = np.asarray(networks.predict(DIGITS.validation.inputs))
    np.testing.assert_allclose(predicted.sum(axis=-1)[measured.finite], 1, rtol=1e-5)
    share = (predicted.argmax(axis=-1) != DIGITS.validation.targets).mean(axis=1)
    np.testing.assert_allclose(share[measured.finite], result.scores["validation"][measured.finite], atol=1e-6)


def test_segments_stop_alike(stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    train = make_train(Noisy, DIGITS, replace(CONFIG, patience=PATIENCE))
    assert_same(train_in_segments(train, PROGRAMS, KEY, RATES, 2), stopped[0])


def test_chunks_on_a_mesh_stop_alike_and_return_the_same_networks(
    stopped: tuple[TrainResult, TrainedNetworks],
) -> None:
    train = make_train(Noisy, DIGITS, replace(CONFIG, patience=PATIENCE))
    mesh = jax.make_mesh((2,), ("population",), devices=jax.devices()[:2])
    result, networks = train_population(train, PROGRAMS, KEY, chunk_size=2, mesh=mesh, return_networks=True)
    assert_same(result, stopped[0])
    ours, theirs = (
        jax.tree.map(lambda rows: rows[np.asarray(result.finite)], (own.params, own.state))
        for own in (networks, stopped[1])
    )
    assert_same(ours, theirs)
    np.testing.assert_allclose(
        networks.predict(DIGITS.validation.inputs)[0], stopped[1].predict(DIGITS.validation.inputs)[0], atol=1e-4
    )


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
