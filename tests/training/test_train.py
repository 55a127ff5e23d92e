from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.datasets import Dataset, Split, load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import CifarCNN, DigitsCNN, MnistCNN, SmallCNN, SmallMLP
from glojax.training import Train, TrainingConfig, TrainResult, make_train
from glojax.training.augmentation import evaluation_inputs, training_inputs
from tests.linear_network import LinearNetwork
from tests.training.plain_loops import mean_loss, rows_of_step

CONFIG = TrainingConfig(num_steps=30, batch_size=64, learning_rate=0.05, splits=("validation", "test"))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def program(text: str) -> LossProgram:
    return LossProgram.from_tree(LossTree.parse(text), 16)


@jax.jit
def run(train: Train, program: LossProgram, key: jax.Array, rate: jax.Array, num_steps: int) -> TrainResult:
    """Train so many steps; compiled once for each network and configuration."""
    return train.finish(train.advance(train.begin(key), program, key, rate, 0, num_steps))


def trained(digits: Dataset, text: str, seed: int = 0, num_steps: int = 30, rate: float = 0.05) -> TrainResult:
    """What comes of a network that compiles fast."""
    train = make_train(LinearNetwork, digits, CONFIG)
    result: TrainResult = run(train, program(text), jax.random.key(seed), np.float32(rate), num_steps)
    return result


def test_training_learns(digits: Dataset) -> None:
    result = trained(digits, "log(y) - x / y", num_steps=200)
    assert result.scores["validation"] > 0.9
    assert result.scores["test"] > 0.9
    assert result.finite
    assert result.num_steps == 200


def test_the_same_key_gives_the_same_result_and_another_one_another(digits: Dataset) -> None:
    first, again, other = (trained(digits, "log(y) - x / y", seed) for seed in (0, 0, 1))
    assert first.scores == again.scores
    assert first.scores != other.scores


@pytest.mark.parametrize("text", ["x / (y - y)", "x * log(y - 1)", "log(x) + y"])
def test_a_loss_that_is_not_finite_ends_the_training_at_once(digits: Dataset, text: str) -> None:
    result = trained(digits, text)
    assert not result.finite
    assert result.num_steps == 1
    assert result.scores == {"validation": 0, "test": 0}


def test_parameters_that_are_not_finite_are_found_though_the_loss_is(digits: Dataset) -> None:
    """An infinite step: the loss before it is finite, the parameters after it are not."""
    result = trained(digits, "x * y", num_steps=1, rate=np.inf)
    assert result.num_steps == 1
    assert not result.finite
    assert result.scores == {"validation": 0, "test": 0}


def test_a_given_learning_rate_replaces_the_configured_one(digits: Dataset) -> None:
    train, cross_entropy, key = make_train(LinearNetwork, digits, CONFIG), program("x * log(y)"), jax.random.key(0)
    configured, given = jax.jit(lambda train: (train(cross_entropy, key), train(cross_entropy, key, 0.2)))(train)
    assert configured.scores == trained(digits, "x * log(y)").scores
    assert given.scores == trained(digits, "x * log(y)", rate=0.2).scores
    assert configured.scores != given.scores


def test_a_batch_larger_than_the_training_split_is_refused(digits: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="batch_size is 5000, but digits has 1077 training examples"):
        make_train(DigitsCNN, digits, replace(CONFIG, batch_size=5000))


def test_a_network_for_other_images_is_refused(digits: Dataset) -> None:
    with pytest.raises(ConfigurationError, match=r"MnistCNN does not take inputs of shape \(8, 8, 1\)"):
        make_train(MnistCNN, digits, CONFIG)


class WithTwoArguments(nnx.Module):
    def __init__(self, size: int, *, rngs: nnx.Rngs):
        self.output = nnx.Linear(64, size, rngs=rngs)


class WithoutCall(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs):
        self.output = nnx.Linear(64, 10, rngs=rngs)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (WithTwoArguments, r"WithTwoArguments cannot be made as network\(rngs\)"),
        (WithoutCall, r"WithoutCall .* cannot be called as network\(inputs\)"),
        (nnx.eval_shape(lambda: DigitsCNN(nnx.Rngs(0))), "Got a DigitsCNN for the network; expected the class"),
    ],
)
def test_what_is_no_network_class_is_refused_with_what_would_be(digits: Dataset, network: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_train(network, digits, CONFIG)


class Wide(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.output = nnx.Linear(64, 11, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        logits: jax.Array = self.output(images.reshape(-1, 64))
        return logits


def test_a_network_with_another_number_of_classes_is_refused(digits: Dataset) -> None:
    with pytest.raises(ConfigurationError, match=r"Wide gives outputs of shape \(11,\) where .* needs \(10,\)"):
        make_train(Wide, digits, CONFIG)


@pytest.fixture(scope="module")
def coloured() -> Dataset:
    """Images 25x27x3: of one class the left half is bright, of the other the upper half."""
    rng = np.random.default_rng(0)

    def split(num_images: int) -> Split:
        labels = rng.integers(0, 2, num_images, dtype=np.int32)
        images = rng.integers(0, 100, (num_images, 25, 27, 3), dtype=np.uint8)
        images[labels == 0, :, :13] += np.uint8(100)
        images[labels == 1, :12] += np.uint8(100)
        return Split(images, labels)

    return Dataset("coloured", split(256), split(100), split(50), 2)


AUGMENTED = TrainingConfig(
    num_steps=19, batch_size=32, learning_rate=0.05, augmentation="cifar", weight_decay=0.3, decay_every_epochs=2
)


def reference_logits(dataset: Dataset, config: TrainingConfig, key: jax.Array) -> jax.Array:
    """What an ordinary loop with every option gives: cross-entropy, and the arithmetic of SGD written out."""
    graphdef, params = jax.jit(lambda key: nnx.split(SmallMLP(nnx.Rngs(key), input_shape=(24, 24, 3), num_outputs=2)))(
        jax.random.split(key, 3)[0]
    )
    images, labels = jnp.asarray(dataset.train.inputs), jnp.asarray(dataset.train.targets)
    evaluated = jnp.asarray(dataset.validation.inputs)

    @jax.jit
    def step(params: Any, number: int, rate: float) -> Any:
        rows = rows_of_step(key, number, len(labels), config.batch_size)
        step_key = jax.random.fold_in(jax.random.split(key, 3)[2], number)
        inputs = training_inputs("cifar", jax.random.fold_in(step_key, 1), images, rows)

        def loss(params: Any) -> jax.Array:
            squares = sum((params[layer]["kernel"][...] ** 2).sum() for layer in ("hidden1", "hidden2"))
            penalty: jax.Array = 0.5 * config.weight_decay * squares
            return mean_loss(nnx.merge(graphdef, params)(inputs), labels[rows]) + penalty

        return jax.tree.map(lambda parameter, slope: parameter - rate * slope, params, jax.grad(loss)(params))

    for number in range(config.num_steps):
        epoch = number // (len(labels) // config.batch_size)
        params = step(params, number, np.float32(config.learning_rate * 0.1 ** (epoch // 2)))
    evaluate = jax.jit(lambda params: nnx.merge(graphdef, params)(evaluation_inputs("cifar", evaluated)))
    logits: jax.Array = evaluate(params)
    return logits


def test_a_network_that_fits_itself_learns_with_every_option_as_in_an_ordinary_loop(
    coloured: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Train, "score", Train._outputs)
    train = make_train(SmallMLP, coloured, AUGMENTED)
    result = run(train, program("x * log(y)"), jax.random.key(0), np.float32(0.05), AUGMENTED.num_steps)
    logits = np.asarray(result.scores["validation"])
    np.testing.assert_allclose(logits, reference_logits(coloured, AUGMENTED, jax.random.key(0)), atol=1e-3)
    assert np.mean(logits.argmax(axis=-1) == coloured.validation.targets) > 0.9


def test_images_too_small_for_the_crop_are_refused(digits: Dataset) -> None:
    with pytest.raises(ConfigurationError, match=r"crops 24x24 pixels, but inputs of digits have shape \(8, 8, 1\)"):
        make_train(SmallCNN, digits, replace(CONFIG, augmentation="cifar"))


def test_the_network_must_fit_the_augmented_images(coloured: Dataset) -> None:
    with pytest.raises(ConfigurationError, match=r"shape \(24, 24, 3\) \(coloured, cropped from \(25, 27, 3\)\)"):
        make_train(MnistCNN, coloured, AUGMENTED)
    with pytest.raises(ConfigurationError, match=r"CifarCNN does not take inputs of shape \(25, 27, 3\) \(coloured\)"):
        make_train(CifarCNN, coloured, replace(AUGMENTED, augmentation="none"))


def test_weight_decay_that_would_do_nothing_is_refused(digits: Dataset) -> None:
    with pytest.raises(ConfigurationError, match=r"weight_decay is 0\.1, but DigitsCNN marks no parameter to decay"):
        make_train(DigitsCNN, digits, replace(CONFIG, weight_decay=0.1))


def test_a_network_that_fits_itself_is_known_again(digits: Dataset) -> None:
    first, again = (jax.tree.structure(make_train(SmallCNN, digits, CONFIG)) for _ in range(2))
    assert hash(first) == hash(again)
