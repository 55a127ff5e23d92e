"""Networks with batch statistics and dropout, written as in Flax's own tutorials."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.datasets import Dataset, load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training import Train, TrainingConfig, TrainResult, make_train, train_in_segments, train_population
from tests.training.plain_loops import mean_loss, rows_of_step

CONFIG = TrainingConfig(num_steps=40, batch_size=64, learning_rate=0.05)
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


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def train(digits: Dataset) -> Train:
    return make_train(OwnRngs, digits, CONFIG)


def trained_by_hand(digits: Dataset, num_steps: int, key: jax.Array) -> Any:
    """The module after a plain Flax loop over the same batches, with the same keys."""
    model = nnx.jit(lambda: OwnRngs(rngs=nnx.Rngs(jax.random.split(key, 3)[0])))()
    model.train()  # type: ignore[no-untyped-call]
    images, labels = jnp.asarray(digits.train.inputs), jnp.asarray(digits.train.targets)

    @nnx.jit
    def step(model: Any, number: int) -> None:
        rows = rows_of_step(key, number, len(labels), 64)

        def loss(model: Any) -> jax.Array:
            return mean_loss(model(images[rows]), labels[rows])

        gradient = nnx.grad(loss)(model)
        nnx.update(model, jax.tree.map(lambda p, g: p - 0.05 * g, nnx.state(model, nnx.Param), gradient))

    for number in range(num_steps):
        step(model, number)
    return model


def comparable(state: Any) -> list[np.ndarray]:
    """Leaves, keys as numbers."""
    return [
        np.asarray(jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf)
        for leaf in jax.tree.leaves(state)
    ]


def test_parameters_and_statistics_are_those_of_a_plain_flax_loop(train: Train, digits: Dataset) -> None:
    key = jax.random.key(3)

    @jax.jit
    def trained(train: Train) -> Any:
        state = train.advance(train.begin(key), CROSS_ENTROPY, key, jnp.float32(0.05), 0, 20)
        return state, train.predict(state, "validation"), train.finish(state)

    state, probs, result = trained(train)
    model = trained_by_hand(digits, 20, key)
    params, rest = nnx.state(model, nnx.Param), nnx.state(model, nnx.Not(nnx.Param))
    for ours, theirs in zip(comparable((state.params, state.rest)), comparable((params, rest)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    model.eval()
    split = digits.validation
    expected = np.asarray(nnx.jit(lambda model: nnx.softmax(model(jnp.asarray(split.inputs))))(model))
    np.testing.assert_allclose(probs, expected, atol=1e-4)
    share = np.mean(expected.argmax(axis=-1) == split.targets)
    assert result.scores["validation"] == pytest.approx(share, abs=2.5 / len(split))


def assert_close(ours: TrainResult, theirs: TrainResult) -> None:
    np.testing.assert_array_equal(ours.finite, theirs.finite)
    np.testing.assert_array_equal(ours.num_steps, theirs.num_steps)
    np.testing.assert_allclose(ours.scores["validation"], theirs.scores["validation"], atol=10 / 360)


def test_segments_give_what_single_candidates_give(train: Train) -> None:
    key = jax.random.key(1)
    # As many equal keys: the same program trains candidates with keys of their own.
    mapped = train_population(train, PROGRAMS, jnp.stack([key] * len(LOSSES)))
    assert mapped.finite.tolist() == [True, False, True, False, True]
    assert mapped.scores["validation"][0] > 0.6
    rates = np.full(len(LOSSES), 0.05, np.float32)
    # The last candidate moves to the first chunk, its keys included.
    assert_close(train_in_segments(train, PROGRAMS, key, rates, 2), mapped)


def test_candidates_with_keys_of_their_own_are_in_chunks_what_they_are_alone(train: Train) -> None:
    keys = jax.random.split(jax.random.key(2), len(LOSSES))
    assert_close(train_population(train, PROGRAMS, keys, chunk_size=2), train_population(train, PROGRAMS, keys))


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


def test_a_state_that_is_not_finite_is_found(digits: Dataset) -> None:
    train, key = make_train(Overflowing, digits, CONFIG), jax.random.key(0)

    @jax.jit
    def trained(num_steps: int) -> TrainResult:
        return train.finish(train.advance(train.begin(key), CROSS_ENTROPY, key, jnp.float32(0.05), 0, num_steps))

    for num_steps, finite in ((8, True), (9, False)):
        result = trained(num_steps)
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
