from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from glojax.datasets import Dataset, Split, load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import CifarCNN, DigitsCNN, MnistCNN, SmallCNN
from glojax.training import Train, TrainingConfig, TrainResult, make_train
from glojax.training.augmentation import evaluation_inputs, training_inputs
from tests.linear_network import LinearNetwork

CONFIG = TrainingConfig(num_steps=30, batch_size=64, learning_rate=0.05, splits=("validation", "test"))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def program(text: str) -> LossProgram:
    return LossProgram.from_tree(LossTree.parse(text), 16)


#: Compiled once for each network and configuration.
run = jax.jit(Train.__call__)


def trained(
    digits: Dataset, text: str, seed: int = 0, config: TrainingConfig = CONFIG, rate: float | None = None
) -> TrainResult:
    """What comes of a network that compiles fast."""
    train = make_train(LinearNetwork, digits, config)
    learning_rate = jnp.float32(config.learning_rate if rate is None else rate)
    result: TrainResult = run(train, program(text), jax.random.key(seed), learning_rate)
    return result


def reference_accuracy(digits: Dataset, seed: int) -> float:
    """What an ordinary training with optax's cross-entropy gives: a Python loop over the same batches."""
    network_key, shuffle_key, _ = jax.random.split(jax.random.key(seed), 3)
    graphdef, params = jax.jit(lambda key: nnx.split(DigitsCNN(nnx.Rngs(key))))(network_key)
    images, labels = jnp.asarray(digits.train.inputs), jnp.asarray(digits.train.targets)
    optimizer = optax.sgd(CONFIG.learning_rate)
    state = optimizer.init(params)

    @jax.jit
    def step(params: Any, state: optax.OptState, batch: jax.Array) -> tuple[Any, optax.OptState]:
        def loss(params: Any) -> jax.Array:
            logits = nnx.merge(graphdef, params)(images[batch])
            losses: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, labels[batch])
            return losses.mean()

        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return optax.apply_updates(params, updates), state

    per_epoch = len(labels) // CONFIG.batch_size
    for number in range(CONFIG.num_steps):
        epoch, index = divmod(number, per_epoch)
        order = jax.random.permutation(jax.random.fold_in(shuffle_key, epoch), len(labels))
        params, state = step(params, state, order[index * CONFIG.batch_size : (index + 1) * CONFIG.batch_size])
    logits = jax.jit(lambda params, images: nnx.merge(graphdef, params)(images))(params, digits.validation.inputs)
    return float((np.argmax(logits, axis=-1) == digits.validation.targets).mean())


def test_cross_entropy_as_a_program_trains_as_ordinary_cross_entropy(digits: Dataset) -> None:
    result = run(make_train(DigitsCNN, digits, CONFIG), program("x * log(y)"), jax.random.key(0))
    accuracy = float(result.scores["validation"])
    # The same up to rounding, which may move a prediction or two across the border.
    assert accuracy == pytest.approx(reference_accuracy(digits, seed=0), abs=2.5 / 360)


def test_training_learns(digits: Dataset) -> None:
    config = replace(CONFIG, num_steps=200)
    result = trained(digits, "log(y) - x / y", config=config)
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
    result = trained(digits, "x * y", config=replace(CONFIG, num_steps=1), rate=np.inf)
    assert result.num_steps == 1
    assert not result.finite
    assert result.scores == {"validation": 0, "test": 0}


def test_predictions_are_those_that_the_accuracy_counts(digits: Dataset) -> None:
    train = make_train(DigitsCNN, digits, CONFIG)
    state = jax.jit(train.begin)(jax.random.key(0))
    probs = np.asarray(jax.jit(train.predict, static_argnums=1)(state, "test"))
    np.testing.assert_allclose(probs.sum(axis=-1), 1, atol=1e-5)
    right = np.mean(probs.argmax(axis=-1) == digits.splits["test"].targets)
    assert right == pytest.approx(float(jax.jit(train.finish)(state).scores["test"]), abs=1e-6)


def test_a_given_learning_rate_replaces_the_configured_one(digits: Dataset) -> None:
    given = trained(digits, "x * log(y)", rate=0.2)
    configured = make_train(LinearNetwork, digits, replace(CONFIG, learning_rate=0.2))
    assert given.scores == run(configured, program("x * log(y)"), jax.random.key(0)).scores
    assert given.scores != trained(digits, "x * log(y)").scores


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


def reference_logits(dataset: Dataset, config: TrainingConfig, seed: int) -> jax.Array:
    """What an ordinary loop with every option gives: cross-entropy, and the arithmetic of SGD written out."""
    network_key, shuffle_key, step_key = jax.random.split(jax.random.key(seed), 3)
    graphdef, params = jax.jit(lambda key: nnx.split(SmallCNN(nnx.Rngs(key), input_shape=(24, 24, 3), num_outputs=2)))(
        network_key
    )
    images, labels = jnp.asarray(dataset.train.inputs), jnp.asarray(dataset.train.targets)

    @jax.jit
    def step(params: Any, rate: jax.Array, key: jax.Array, batch: jax.Array) -> Any:
        inputs = training_inputs("cifar", key, images, batch)

        def loss(params: Any) -> jax.Array:
            logits = nnx.merge(graphdef, params)(inputs)
            losses: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, labels[batch])
            penalty: jax.Array = 0.5 * config.weight_decay * (params["hidden"]["kernel"][...] ** 2).sum()
            return losses.mean() + penalty

        return jax.tree.map(lambda parameter, slope: parameter - rate * slope, params, jax.grad(loss)(params))

    per_epoch = len(labels) // config.batch_size
    for number in range(config.num_steps):
        epoch, index = divmod(number, per_epoch)
        order = jax.random.permutation(jax.random.fold_in(shuffle_key, epoch), len(labels))
        batch = order[index * config.batch_size : (index + 1) * config.batch_size]
        key = jax.random.fold_in(jax.random.fold_in(step_key, number), 1)
        params = step(params, jnp.float32(config.learning_rate * 0.1 ** (epoch // 2)), key, batch)
    evaluate = jax.jit(lambda params, images: nnx.merge(graphdef, params)(evaluation_inputs("cifar", images)))
    logits: jax.Array = evaluate(params, dataset.validation.inputs)
    return logits


def test_a_network_that_fits_itself_learns_with_every_option_as_in_an_ordinary_loop(
    coloured: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Train, "score", Train._outputs)
    train = make_train(SmallCNN, coloured, AUGMENTED)
    first, again, other = (run(train, program("x * log(y)"), jax.random.key(seed)) for seed in (0, 0, 1))
    logits = np.asarray(first.scores["validation"])
    np.testing.assert_allclose(logits, reference_logits(coloured, AUGMENTED, 0), atol=1e-3)
    assert np.mean(logits.argmax(axis=-1) == coloured.validation.targets) > 0.9
    np.testing.assert_array_equal(logits, again.scores["validation"])
    assert not np.allclose(logits, other.scores["validation"])


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
