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
from glojax.networks import DigitsCNN, PureNetwork, SmallMLP
from glojax.tasks import TASKS, Metric
from glojax.tasks.metrics import accuracy
from glojax.training import (
    Train,
    TrainedNetworks,
    TrainingConfig,
    TrainResult,
    TrainState,
    make_train,
    train_in_segments,
    train_population,
)
from glojax.training.state import Best


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


class Counting(nnx.Module):
    """One layer from zero, with keys as state, and the number of its calls in training."""

    def __init__(self, rngs: nnx.Rngs):
        self.output = nnx.Linear(64, 10, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.dropout = nnx.Dropout(0.0, rngs=rngs)  # which has keys, but draws nothing
        self.num_calls = nnx.Variable(jnp.int32(0))

    def __call__(self, images: jax.Array) -> jax.Array:
        self.num_calls[...] += 1
        logits: jax.Array = self.output(self.dropout(images.reshape(-1, 64)))
        return logits


@pytest.fixture(scope="module")
def impatient() -> Train:
    return make_train(Counting, DIGITS, replace(CONFIG, patience=PATIENCE))


@pytest.fixture(scope="module")
def stopped(impatient: Train) -> tuple[TrainResult, TrainedNetworks]:
    """Chunks on a mesh."""
    mesh = jax.make_mesh((2,), ("population",), devices=jax.devices()[:2])
    return train_population(impatient, PROGRAMS, KEY, chunk_size=2, mesh=mesh, return_networks=True)


def assert_patient(result: TrainResult) -> np.ndarray:
    """Return the curves: trainings end where these say, with the score of the best network."""
    assert result.finite.tolist() == [True, False, True, True, True]
    K, ends = len(CONFIG.evaluated_steps), set()
    curves = np.asarray(result.curve)
    for curve, num_steps, score in zip(curves, result.num_steps, result.scores["validation"], strict=True):
        if num_steps == 1:
            assert np.isnan(curve).all()
            continue
        end = next(n for n in range(1, K + 1) if n == K or n - 1 - np.argmin(curve[:n]) == PATIENCE)
        assert num_steps == CONFIG.evaluated_steps[end - 1]
        assert np.isnan(curve[end:]).all()
        np.testing.assert_allclose(score, curve[:end].min(), rtol=1e-6)
        ends.add(end)
    assert len(ends) > 1
    assert min(ends) < K
    return curves


def test_segments_stop_as_chunks_on_a_mesh_do(impatient: Train, stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    in_segments = train_in_segments(impatient, PROGRAMS, KEY, RATES, 2)
    curves = [assert_patient(result) for result in (stopped[0], in_segments)]
    # Up to the first stop; rounding may move a few of 360 predictions across the border.
    np.testing.assert_allclose(curves[0][:, :3], curves[1][:, :3], atol=5 / 360)


@pytest.mark.parametrize(("patience", "finite"), [(0, True), (1, False)])
def test_a_loss_that_is_not_finite_fails_a_training_unless_patience_has_ended_it_before(
    patience: int, finite: bool
) -> None:
    """In a chunk a training that has ended goes on, to no effect."""
    best = Best(np.float32(7), (), np.float32(0.5), np.int32(patience))  # type: ignore[arg-type]
    nothing = np.full(3, np.nan, np.float32)
    state = TrainState(np.float32(8), (), (), np.int32(20), np.asarray(False), nothing, best)  # type: ignore[arg-type]
    later = jax.jit(lambda state: state.with_score(2, jnp.float32(0.9), jnp.float32(0.9), 2))(state)
    assert np.isnan(np.asarray(later.curve)).all()
    assert (later.kept.params, bool(later.kept.finite)) == (7, finite)
    assert later.best == best


def test_predictions_are_those_of_the_networks_that_were_scored(stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    result, networks = stopped
    finite = np.asarray(result.finite)
    predicted = np.asarray(networks.predict(DIGITS.validation.inputs))[finite]
    np.testing.assert_allclose(predicted.sum(axis=-1), 1, rtol=1e-5)
    share = (predicted.argmax(axis=-1) != DIGITS.validation.targets).mean(axis=1)
    np.testing.assert_allclose(share, result.scores["validation"][finite], atol=1e-6)
    best = np.nanargmin(np.asarray(result.curve)[finite], axis=1)
    np.testing.assert_array_equal(networks.state.num_calls[...][finite], np.take(CONFIG.evaluated_steps, best))


def test_an_nnx_network_is_an_ordinary_module_in_evaluation(stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    _, networks = stopped
    module = networks.network(2)
    assert isinstance(module, Counting)
    expected = np.asarray(networks.predict(DIGITS.validation.inputs))[2]
    predictions = nnx.jit(lambda module: nnx.softmax(module(jnp.asarray(DIGITS.validation.inputs))))(module)
    np.testing.assert_allclose(predictions, expected, rtol=1e-5)


def test_a_linen_network_is_variables() -> None:
    dense = linen.Dense(2, use_bias=False)
    kernels = jnp.arange(16, dtype=jnp.float32).reshape(2, 4, 2)
    networks = TrainedNetworks({"kernel": kernels}, {}, PureNetwork(dense, (4,), 2), "none", TASKS["regression"])
    bytes_ = np.full((3, 4), 51, np.uint8)
    predicted = networks.predict(bytes_)
    np.testing.assert_allclose(predicted, 0.2 * np.ones((3, 4)) @ kernels, rtol=1e-6)
    outputs: Any = dense.apply(networks.network(-1), jnp.full((3, 4), 0.2))
    np.testing.assert_allclose(outputs, predicted[1], rtol=1e-6)


def test_what_does_not_fit_is_refused_in_one_line(stopped: tuple[TrainResult, TrainedNetworks]) -> None:
    _, networks = stopped
    for inputs in (np.zeros((3, 9, 8, 1)), np.zeros((8, 8, 1)), np.zeros((0, 8, 8, 1))):
        with pytest.raises(ConfigurationError, match=r"Inputs are of shape \(.*\); expected \(N, 8, 8, 1\)\."):
            networks.predict(inputs)
    with pytest.raises(ConfigurationError, match="There is no network 5; expected an index from 0 to 4"):
        networks.network(5)


def test_what_is_measured_on_the_way_changes_no_score() -> None:
    config = TrainingConfig(30, batch_size=64, learning_rate=0.5, splits=("validation", "test"))
    measured = replace(config, evaluate_every=7, counts_classes=True)
    trains = [make_train(DigitsCNN, DIGITS, each) for each in (config, measured)]
    plain, others = (train_population(train, PROGRAMS, KEY) for train in trains)
    for split in config.splits:
        np.testing.assert_array_equal(plain.scores[split], others.scores[split])
    assert plain.class_counts is None


def test_in_segments_the_classes_are_counted_as_one_by_one() -> None:
    config = TrainingConfig(20, batch_size=64, learning_rate=0.5, splits=("validation", "test"), counts_classes=True)
    train = make_train(Counting, DIGITS, config)
    in_segments, alone = train_in_segments(train, PROGRAMS, KEY, RATES, 2), train_population(train, PROGRAMS, KEY)
    matrices, size = [], len(DIGITS.splits["test"])
    for result in (in_segments, alone):
        assert result.class_counts is not None
        confusion, bins = map(np.asarray, result.class_counts)
        accuracies = np.trace(confusion, axis1=1, axis2=2) / size
        np.testing.assert_allclose(accuracies, result.scores["test"], rtol=1e-6)
        np.testing.assert_array_equal(bins[:, 0].sum(axis=1), np.where(result.finite, size, 0))
        matrices.append(confusion)
    # Rounding may move a few of 360 predictions across the border.
    np.testing.assert_allclose(matrices[0], matrices[1], atol=5)


@pytest.mark.parametrize(
    ("dataset", "splits", "expected"),
    [("digits", ("validation",), "expected 'test' in it"), ("diabetes", ("validation", "test"), "has no classes")],
)
def test_classes_are_counted_where_there_are_some(dataset: str, splits: tuple[str, ...], expected: str) -> None:
    config = TrainingConfig(2, batch_size=8, learning_rate=0.5, splits=("validation", "test"))
    data = load_dataset(dataset)
    with pytest.raises(ConfigurationError, match=expected):
        make_train(SmallMLP, data, replace(config, splits=splits, counts_classes=True))
