"""Inputs in a structure: a network gets them as they were given, and trains as in a plain loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram, find_tree
from glojax.networks import SmallCNN, SmallFCN, SmallMLP
from glojax.training import (
    Train,
    TrainedNetworks,
    TrainingConfig,
    computation_identity,
    make_train,
    train_population,
)
from tests.training.plain_loops import mean_loss, rows_of_step

CONFIG = TrainingConfig(num_steps=6, batch_size=8, learning_rate=0.1)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (32, 2, 3, 1), np.uint8)
TOKENS = RNG.integers(0, 7, (32, 5))
TABLE = RNG.normal(size=(32, 3))
TARGETS = (TABLE[:, 0] > 0).astype(int) + (IMAGES[:, 0, 0, 0] > 127)
INPUTS = {"image": IMAGES, "others": (TOKENS, TABLE)}


def dataset_of(inputs: Any) -> Dataset:
    return Dataset.from_arrays("mixed", inputs, TARGETS, validation=range(8))


class Mixed(nnx.Module):
    """The sum of an embedding of tokens and of dense layers on image and table."""

    def __init__(self, rngs: nnx.Rngs, *, input_shape: Any, num_outputs: int):
        self.embedding = nnx.Embed(7, num_outputs, rngs=rngs)
        self.image = nnx.Linear(int(np.prod(input_shape["image"])), num_outputs, rngs=rngs)
        self.table = nnx.Linear(input_shape["others"][1][0], num_outputs, rngs=rngs)

    @classmethod
    def for_data(cls, input_shape: Any, num_outputs: int) -> Callable[[nnx.Rngs], "Mixed"]:
        return lambda rngs: cls(rngs, input_shape=input_shape, num_outputs=num_outputs)

    def __call__(self, inputs: Any) -> jax.Array:
        tokens, table = inputs["others"]
        image = inputs["image"].reshape(len(table), -1)
        outputs: jax.Array = self.embedding(tokens).mean(axis=1) + self.image(image) + self.table(table)
        return outputs


class Embedding(nnx.Module):
    """The mean of an embedding of tokens."""

    def __init__(self, rngs: nnx.Rngs):
        self.embedding = nnx.Embed(7, 3, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        outputs: jax.Array = self.embedding(tokens).mean(axis=1)
        return outputs


def trained_by_hand(network: Any, inputs: Any, key: jax.Array) -> Any:
    """The parameters after a plain loop over the same batches, and the accuracy of validation."""
    graphdef = nnx.split(nnx.eval_shape(lambda: network(nnx.Rngs(0))))[0]
    inputs = jax.tree.map(lambda leaf: leaf.astype(np.float32) / 255 if leaf.dtype == np.uint8 else leaf, inputs)
    train = jax.tree.map(lambda leaf: leaf[8:], (inputs, TARGETS))

    def step(number: jax.Array, params: Any) -> Any:
        batch, targets = jax.tree.map(lambda leaf: jnp.asarray(leaf)[rows_of_step(key, number, 24, 8)], train)
        gradient = jax.grad(lambda params: mean_loss(nnx.merge(graphdef, params)(batch), targets))(params)
        return jax.tree.map(lambda parameter, change: parameter - 0.1 * change, params, gradient)

    @jax.jit
    def trained() -> Any:
        params = nnx.state(network(nnx.Rngs(jax.random.split(key, 3)[0])), nnx.Param)
        params = jax.lax.fori_loop(0, CONFIG.num_steps, step, params)
        return params, nnx.merge(graphdef, params)(jax.tree.map(lambda leaf: jnp.asarray(leaf[:8]), inputs))

    params, logits = trained()
    return params, (np.argmax(logits, axis=-1) == TARGETS[:8]).mean()


def test_a_network_of_several_arrays_trains_as_in_a_plain_loop() -> None:
    train, key = make_train(Mixed, dataset_of(INPUTS), CONFIG), jax.random.key(3)
    program = LossProgram.from_tree(find_tree("cross_entropy"), 8)

    @jax.jit
    def trained(train: Train) -> Any:
        state = train.advance(train.begin(key), program, key, jnp.float32(0.1), 0, CONFIG.num_steps)
        population = jax.tree.map(lambda leaf: leaf[None], (state.params, state.rest))
        return state.params, train.finish(state), train.predict(state, "validation"), population

    ours, result, expected, (params, rest) = trained(train)
    shapes = jax.tree.map(lambda leaf: leaf.shape[1:], INPUTS)
    theirs, accuracy = trained_by_hand(Mixed.for_data(shapes, 3), INPUTS, key)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), ours, theirs)
    assert float(result.scores["validation"]) == accuracy
    networks = TrainedNetworks(params, rest, train.pure_network, "none", train.task)
    predictions = networks.predict(jax.tree.map(lambda leaf: leaf[:8], INPUTS))
    np.testing.assert_allclose(np.asarray(predictions)[0], expected, rtol=1e-5)
    with pytest.raises(ConfigurationError, match=r"'\(7, 3\)'.*; expected .*'\(N, 3\)'"):
        networks.predict(INPUTS | {"others": (TOKENS, TABLE[:7])})
    with pytest.raises(ConfigurationError, match="Inputs are of another structure than"):
        networks.predict(TABLE)


def test_a_population_is_traced_in_chunks() -> None:
    train = make_train(Mixed, dataset_of(INPUTS), CONFIG)
    programs = LossProgram.from_trees([LossTree.parse(text) for text in ("x * log(y)", "x * y", "-(x - y)^2")], 8)
    keys = jax.random.split(jax.random.key(0), 3)
    result = jax.eval_shape(lambda: train_population(train, programs, keys, chunk_size=2))
    assert result.scores["validation"].shape == result.finite.shape == (3,)


def test_the_identity_is_that_of_what_is_computed_from_all_arrays() -> None:
    class WithoutImage(Mixed):
        def __call__(self, inputs: Any) -> jax.Array:
            return super().__call__(inputs | {"image": jnp.zeros_like(inputs["image"])})

    class Renamed(Mixed):
        pass

    same, other, renamed = (
        computation_identity(make_train(network, dataset_of(INPUTS), CONFIG))
        for network in (Mixed, WithoutImage, Renamed)
    )
    assert same == renamed != other


@pytest.mark.parametrize("network", [SmallCNN, SmallMLP, SmallFCN])
def test_the_small_networks_refuse_a_structure(network: Any) -> None:
    message = rf"{network.__name__} takes one array, but the inputs are several, of shapes \{{'image': \(2, 3, 1\), .*"
    with pytest.raises(ConfigurationError, match=message):
        make_train(network, dataset_of(INPUTS), CONFIG)


def test_augmentation_refuses_a_structure() -> None:
    images = np.zeros((32, 32, 32, 3), np.uint8)
    config = TrainingConfig(num_steps=1, batch_size=8, learning_rate=0.1, augmentation="cifar")
    message = r"crops 24x24 pixels, but inputs of mixed have shape \(\(32, 32, 3\), \(3,\), \(3,\)\); choose"
    with pytest.raises(ConfigurationError, match=message):
        make_train(Mixed, dataset_of((images, TABLE, TABLE)), config)


def test_a_network_that_takes_something_else_is_refused() -> None:
    message = (
        r"Embedding does not take inputs of shape \{'image': \(2, 3, 1\), 'others': \(\(5,\), \(3,\)\)\} \(mixed\)"
    )
    with pytest.raises(ConfigurationError, match=message) as caught:
        make_train(Embedding, dataset_of(INPUTS), CONFIG)
    assert "\n" not in str(caught.value)
