"""Inputs in a structure: a network gets them as they were given, and trains as in a plain loop."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram, find_tree
from glojax.networks import SmallCNN, SmallFCN, SmallMLP
from glojax.training import (
    TrainedNetworks,
    TrainingConfig,
    TrainState,
    computation_identity,
    make_train,
    train_population,
)

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


def trained_by_hand(model: Any, inputs: Any, first: TrainState) -> Any:
    """The parameters after a plain loop over the same batches, and the accuracy of validation."""
    graphdef = nnx.split(model)[0]
    inputs = jax.tree.map(lambda leaf: jnp.float32(leaf) / 255 if leaf.dtype == np.uint8 else jnp.asarray(leaf), inputs)
    train = jax.tree.map(lambda leaf: leaf[8:], (inputs, jnp.asarray(TARGETS)))
    _, shuffle_key, _ = jax.random.split(jax.random.key(3), 3)

    def mean_loss(params: Any, batch: Any) -> jax.Array:
        inputs, targets = batch
        logits = nnx.merge(graphdef, params)(inputs)
        loss: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()
        return loss

    @jax.jit
    def step(params: Any, rows: jax.Array) -> Any:
        gradient = jax.grad(mean_loss)(params, jax.tree.map(lambda leaf: leaf[rows], train))
        return jax.tree.map(lambda parameter, change: parameter - 0.1 * change, params, gradient)

    params = first.params
    for number in range(CONFIG.num_steps):
        order = jax.random.permutation(jax.random.fold_in(shuffle_key, number // 3), 24)
        params = step(params, order[number % 3 * 8 : (number % 3 + 1) * 8])
    logits = nnx.merge(graphdef, params)(jax.tree.map(lambda leaf: leaf[:8], inputs))
    return params, (logits.argmax(axis=-1) == TARGETS[:8]).mean()


@pytest.mark.parametrize(
    ("network", "inputs"), [(Mixed, INPUTS), (Embedding, TOKENS)], ids=["image, tokens and table", "tokens"]
)
def test_a_network_trains_as_in_a_plain_loop(network: Any, inputs: Any) -> None:
    train, key = make_train(network, dataset_of(inputs), CONFIG), jax.random.key(3)
    program = LossProgram.from_tree(find_tree("cross_entropy"), 8)
    first = train.begin(key)
    last, result = jax.jit(
        lambda train, first: (
            last := train.advance(first, program, key, jnp.float32(0.1), 0, CONFIG.num_steps),
            train.finish(last),
        )
    )(train, first)
    shapes = jax.tree.map(lambda leaf: leaf.shape[1:], inputs)
    model = (network.for_data(shapes, 3) if network is Mixed else network)(nnx.Rngs(0))
    params, accuracy = trained_by_hand(model, inputs, first)
    for ours, theirs in zip(jax.tree.leaves(last.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert float(result.scores["validation"]) == accuracy
    params, rest = jax.tree.map(lambda leaf: leaf[None], (last.params, last.rest))
    networks = TrainedNetworks(params, rest, train.pure_network, "none", train.task)
    predictions = networks.predict(jax.tree.map(lambda leaf: leaf[:8], inputs))[0]
    np.testing.assert_allclose(predictions, train.predict(last, "validation"), rtol=1e-5)
    if network is Mixed:
        with pytest.raises(ConfigurationError, match=r"'\(7, 3\)'.*; expected .*'\(N, 3\)'"):
            networks.predict(inputs | {"others": (TOKENS, TABLE[:7])})
        with pytest.raises(ConfigurationError, match="Inputs are of another structure than"):
            networks.predict(TABLE)


@pytest.mark.parametrize("chunk_size", [1, 2])
def test_a_population_is_traced_in_chunks(chunk_size: int) -> None:
    train = make_train(Mixed, dataset_of(INPUTS), CONFIG)
    programs = LossProgram.from_trees([LossTree.parse(text) for text in ("x * log(y)", "x * y", "-(x - y)^2")], 8)
    keys = jax.random.split(jax.random.key(0), 3)
    result = jax.eval_shape(lambda: train_population(train, programs, keys, chunk_size=chunk_size))
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
