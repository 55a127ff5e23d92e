"""Trainings of each task, step by step as in a plain loop with optax's loss."""

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
from glojax.losses import LossProgram, find_tree
from glojax.tasks import METRICS
from glojax.training import Train, TrainingConfig, make_train

CONFIG = TrainingConfig(num_steps=12, batch_size=8, learning_rate=0.1)
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 3)).astype(np.float32)
IMAGES = RNG.normal(size=(40, 2, 4, 3)).astype(np.float32)
SLOPES = RNG.normal(size=(3, 2))
WEIGHTS = RNG.integers(0, 3, 40).astype(np.float32)


class Linear(nnx.Module):
    """A dense layer on the last axis, which begins at zero: for a table, or for each pixel."""

    def __init__(self, rngs: nnx.Rngs, *, num_inputs: int, num_outputs: int):
        self.layer = nnx.Linear(num_inputs, num_outputs, kernel_init=nnx.initializers.zeros, rngs=rngs)

    @classmethod
    def for_data(cls, input_shape: tuple[int, ...], num_outputs: int) -> Callable[[nnx.Rngs], "Linear"]:
        return lambda rngs: cls(rngs, num_inputs=input_shape[-1], num_outputs=num_outputs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        outputs: jax.Array = self.layer(inputs)
        return outputs


def dataset_of(task: str, weights: Any = None) -> Dataset:
    targets = {
        "classification": np.eye(2)[(TABLE @ SLOPES).argmax(axis=1)] * 0.8 + 0.1,
        "multilabel": (TABLE @ SLOPES > 0).astype(int),
        "regression": TABLE @ SLOPES,
        "segmentation": (IMAGES @ SLOPES).argmax(axis=-1),
    }[task]
    inputs = IMAGES if task == "segmentation" else TABLE
    return Dataset.from_arrays(task, inputs, targets, weights=weights, validation=range(8), task=task)  # type: ignore[arg-type]


LOSSES: dict[str, tuple[str, Callable[..., jax.Array]]] = {
    "classification": ("cross_entropy", optax.softmax_cross_entropy),
    "multilabel": ("binary_cross_entropy", lambda z, x: optax.sigmoid_binary_cross_entropy(z, x).sum(axis=-1)),
    "regression": ("huber", lambda y, x: optax.huber_loss(y, x).sum(axis=-1)),
    "segmentation": ("cross_entropy", optax.softmax_cross_entropy_with_integer_labels),
}


def trained_by_hand(dataset: Dataset, loss: Callable[..., jax.Array], seed: int) -> Any:
    """Kernel and bias after a plain loop over the same batches."""
    _, shuffle_key, _ = jax.random.split(jax.random.key(seed), 3)
    split, size = dataset.train, CONFIG.batch_size
    inputs = jnp.asarray(split.inputs)
    targets = jnp.asarray(split.targets, None if dataset.task == "segmentation" else jnp.float32)
    weights = jnp.ones(len(split)) if split.weights is None else jnp.asarray(split.weights)
    params = {"kernel": jnp.zeros((3, 2)), "bias": jnp.zeros(2)}

    def mean_loss(params: Any, batch: jax.Array) -> jax.Array:
        losses = loss(inputs[batch] @ params["kernel"] + params["bias"], targets[batch])
        return jnp.average(losses.reshape(size, -1).mean(axis=1), weights=weights[batch])

    step = jax.jit(
        lambda params, batch: jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(mean_loss)(params, batch))
    )
    per_epoch = len(split) // size
    for number in range(CONFIG.num_steps):
        epoch, index = divmod(number, per_epoch)
        order = jax.random.permutation(jax.random.fold_in(shuffle_key, epoch), len(split))
        params = step(params, order[index * size : (index + 1) * size])
    return params


def trained(train: Train, loss: str, seed: int) -> Any:
    key = jax.random.key(seed)
    program = LossProgram.from_tree(find_tree(loss, None), 32, domain=train.task.domain)
    return jax.jit(lambda: train.advance(train.begin(key), program, key, jnp.float32(0.1), 0, CONFIG.num_steps))()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
@pytest.mark.parametrize("task", LOSSES)
def test_parameters_are_those_of_a_plain_loop(task: str, weights: Any) -> None:
    dataset, (name, loss) = dataset_of(task, weights), LOSSES[task]
    train = make_train(Linear, dataset, CONFIG)
    state = trained(train, name, seed=3)
    expected = trained_by_hand(dataset, loss, seed=3)
    for parameter in ("kernel", "bias"):
        np.testing.assert_allclose(state.params["layer"][parameter], expected[parameter], rtol=1e-4, atol=1e-5)
    outputs, split = dataset.validation.inputs @ expected["kernel"] + expected["bias"], dataset.validation
    own_weights = jnp.ones(8) if split.weights is None else jnp.asarray(split.weights)
    score = METRICS[train.task.metrics[0]](outputs, jnp.asarray(split.targets), own_weights)
    assert jax.jit(train.finish)(state).scores["validation"] == pytest.approx(float(score), rel=1e-4)
    links = {"multilabel": jax.nn.sigmoid, "regression": lambda outputs: outputs}
    predictions = links.get(task, jax.nn.softmax)(outputs)  # type: ignore[no-untyped-call]
    np.testing.assert_allclose(train.predict(state, "validation"), predictions, rtol=1e-4, atol=1e-5)


def test_a_program_of_another_domain_is_refused() -> None:
    train = make_train(Linear, dataset_of("regression"), CONFIG)
    program = LossProgram.from_tree(find_tree("brier"), 32)
    with pytest.raises(ConfigurationError, match=r"domain 'probability', but x and y of regression are in 'real'"):
        train(program, jax.random.key(0))


class Three(Linear):
    @classmethod
    def for_data(cls, input_shape: tuple[int, ...], num_outputs: int) -> Callable[[nnx.Rngs], Linear]:
        return Linear.for_data(input_shape, 3)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("regression", r"outputs of shape \(3,\) where the regression of regression needs \(2,\)"),
        ("segmentation", r"outputs of shape \(2, 4, 3\) where the segmentation of segmentation needs \(2, 4, 2\)"),
    ],
)
def test_a_network_with_other_outputs_is_refused(task: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_train(Three, dataset_of(task), CONFIG)
