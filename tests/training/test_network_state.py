"""Networks with batch statistics and dropout, written as in Flax's own tutorials."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from glojax.datasets import Dataset, load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training import Train, TrainingConfig, TrainResult, make_train, train_in_segments, train_population

CONFIG = TrainingConfig(num_steps=40, batch_size=64, learning_rate=0.05, splits=("validation", "test"))
LOSSES = ["x * log(y)", "x / (y - y)", "log(y) - x / y", "log(x) + y", "x * sqrt(y) - y^2"]
PROGRAMS = LossProgram.from_trees([LossTree.parse(text) for text in LOSSES], 16)
CROSS_ENTROPY = jax.tree.map(lambda array: array[0], PROGRAMS)


class OwnRngs(nnx.Module):
    """Dropout draws from keys and counts that are state."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(64, 16, rngs=rngs)
        self.norm = nnx.BatchNorm(16, momentum=0.9, rngs=rngs)
        self.dropout = nnx.Dropout(0.25, rngs=rngs)
        self.output = nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        hidden = self.dropout(nnx.relu(self.norm(self.hidden(images.reshape(-1, 64)))))
        logits: jax.Array = self.output(hidden)
        return logits


class GivenRngs(OwnRngs):
    """Dropout draws from what the call is given."""

    def __init__(self, rngs: nnx.Rngs):
        super().__init__(rngs=rngs)
        self.dropout = nnx.Dropout(0.25)

    def __call__(self, images: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        hidden = self.dropout(nnx.relu(self.norm(self.hidden(images.reshape(-1, 64)))), rngs=rngs)
        logits: jax.Array = self.output(hidden)
        return logits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def train(digits: Dataset) -> Train:
    return make_train(OwnRngs, digits, CONFIG)


def trained_by_hand(network: Callable[..., Any], digits: Dataset, num_steps: int, seed: int) -> Any:
    """The module after a plain Flax loop over the same batches, with the same keys."""
    network_key, shuffle_key, dropout_key = jax.random.split(jax.random.key(seed), 3)
    model = network(rngs=nnx.Rngs(network_key))
    model.train()
    images, labels = jnp.asarray(digits.train.inputs), jnp.asarray(digits.train.targets)

    @nnx.jit
    def step(model: Any, batch: jax.Array, key: jax.Array) -> None:
        def loss(model: Any) -> jax.Array:
            given = {"rngs": nnx.Rngs(key)} if network is GivenRngs else {}
            losses: jax.Array = optax.softmax_cross_entropy_with_integer_labels(
                model(images[batch], **given), labels[batch]
            )
            return losses.mean()

        gradient = nnx.grad(loss)(model)
        nnx.update(model, jax.tree.map(lambda p, g: p - 0.05 * g, nnx.state(model, nnx.Param), gradient))

    per_epoch = len(labels) // 64
    for number in range(num_steps):
        epoch, index = divmod(number, per_epoch)
        order = jax.random.permutation(jax.random.fold_in(shuffle_key, epoch), len(labels))
        step(model, order[index * 64 : (index + 1) * 64], jax.random.fold_in(dropout_key, number))
    return model


def comparable(state: Any) -> list[np.ndarray]:
    """Leaves, keys as numbers."""
    return [
        np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)
        for leaf in jax.tree.leaves(state)
    ]


@pytest.mark.parametrize("network", [OwnRngs, GivenRngs])
def test_parameters_and_statistics_are_those_of_a_plain_flax_loop(network: Callable[..., Any], digits: Dataset) -> None:
    train = make_train(network, digits, CONFIG)
    key = jax.random.key(3)
    state = jax.jit(lambda train: train.advance(train.begin(key), CROSS_ENTROPY, key, jnp.float32(0.05), 0, 20))(train)
    model = trained_by_hand(network, digits, 20, seed=3)
    params, rest = nnx.state(model, nnx.Param), nnx.state(model, nnx.Not(nnx.Param))
    for ours, theirs in zip(comparable((state.params, state.rest)), comparable((params, rest)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    model.eval()
    test = digits.splits["test"]
    logits = model(jnp.asarray(test.inputs))
    probs = jax.jit(train.predict, static_argnums=1)(state, "test")
    np.testing.assert_allclose(probs, nnx.softmax(logits), atol=1e-4)
    assert jax.jit(train.finish)(state).scores["test"] == pytest.approx(
        np.mean(np.asarray(logits).argmax(axis=-1) == test.targets), abs=2.5 / len(test)
    )


def assert_close(ours: TrainResult, theirs: TrainResult) -> None:
    np.testing.assert_array_equal(ours.finite, theirs.finite)
    np.testing.assert_array_equal(ours.num_steps, theirs.num_steps)
    np.testing.assert_allclose(ours.scores["validation"], theirs.scores["validation"], atol=10 / 360)


def test_chunks_and_segments_give_what_single_candidates_give(train: Train) -> None:
    key = jax.random.key(1)
    # As many equal keys: the same program trains candidates with keys of their own.
    mapped = train_population(train, PROGRAMS, jnp.stack([key] * len(LOSSES)))
    assert mapped.finite.tolist() == [True, False, True, False, True]
    assert mapped.scores["validation"][0] > 0.6
    assert_close(train_population(train, PROGRAMS, key, chunk_size=2), mapped)
    rates = np.full(len(LOSSES), 0.05, np.float32)
    # The last candidate moves to the first chunk, its keys included.
    assert_close(train_in_segments(train, PROGRAMS, key, rates, 2), mapped)


def test_candidates_with_keys_of_their_own_are_in_chunks_on_a_mesh_what_they_are_alone(train: Train) -> None:
    keys = jax.random.split(jax.random.key(2), len(LOSSES))
    mesh = jax.make_mesh((2,), ("population",), devices=jax.devices()[:2])
    in_chunks = train_population(train, PROGRAMS, keys, chunk_size=2, mesh=mesh)
    assert_close(in_chunks, train_population(train, PROGRAMS, keys))


class Overflowing(nnx.Module):
    """Its parameters stay finite; its state does not, and counts calls in whole numbers."""

    def __init__(self, rngs: nnx.Rngs):
        self.output = nnx.Linear(64, 10, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.scale = nnx.Variable(jnp.float32(1e30))
        self.num_calls = nnx.Variable(jnp.int32(0))

    def __call__(self, images: jax.Array) -> jax.Array:
        self.scale[...] *= 10
        self.num_calls[...] += 1
        self.seen = nnx.Intermediate(images.mean())
        logits: jax.Array = self.output(images.reshape(-1, 64))
        return logits


@pytest.mark.parametrize(("num_steps", "finite"), [(8, True), (9, False)])
def test_a_state_that_is_not_finite_is_found(digits: Dataset, num_steps: int, finite: bool) -> None:
    train = make_train(Overflowing, digits, TrainingConfig(num_steps, 64, 0.05))
    result = jax.jit(train)(CROSS_ENTROPY, jax.random.key(0))
    assert (bool(result.finite), int(result.num_steps)) == (finite, num_steps)


class Growing(OwnRngs):
    def __init__(self, rngs: nnx.Rngs):
        super().__init__(rngs=rngs)
        self.seen = nnx.Variable(jnp.zeros(1))

    def __call__(self, images: jax.Array) -> jax.Array:
        self.seen.set_value(jnp.concatenate([self.seen[...], images.mean((1, 2, 3))]))
        return super().__call__(images)


class WithoutRngs(OwnRngs):
    def __init__(self, rngs: nnx.Rngs):
        super().__init__(rngs=rngs)
        self.dropout = nnx.Dropout(0.25)


class WithoutParameters(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        pass

    def __call__(self, images: jax.Array) -> jax.Array:
        return images.reshape(-1, 64)[:, :10]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Growing, "Growing changes the shape or dtype of its state"),
        (WithoutRngs, r"WithoutRngs .*cannot be called as network\(inputs\), in training with .* no `rngs` argument"),
        (WithoutParameters, r"WithoutParameters has no nnx\.Param"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(network: Any, message: str, digits: Dataset) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        make_train(network, digits, CONFIG)
    assert "\n" not in str(caught.value)
