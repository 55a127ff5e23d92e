"""Trainings of each task, step by step as in a plain loop with optax's loss."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from scipy import special

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.losses import LossProgram, find_tree
from glojax.tasks import METRICS, Metric
from glojax.training import Train, TrainingConfig, make_train
from tests.training.plain_loops import rows_of_step

CONFIG = TrainingConfig(num_steps=12, batch_size=8, learning_rate=0.1)
KEY = jax.random.key(3)
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


def trained_by_hand(dataset: Dataset, loss: Callable[..., jax.Array], metric: Metric) -> Any:
    """Kernel and bias after a plain loop over the same batches, and outputs and score of validation."""
    split, own, size = dataset.train, dataset.validation, CONFIG.batch_size
    inputs = jnp.asarray(split.inputs)
    targets = jnp.asarray(split.targets, None if dataset.task == "segmentation" else jnp.float32)
    weights, own_weights = (
        np.ones(len(each), np.float32) if each.weights is None else each.weights for each in (split, own)
    )

    def outputs_of(params: Any, inputs: jax.Array) -> jax.Array:
        outputs: jax.Array = inputs @ params["kernel"] + params["bias"]
        return outputs

    def step(number: jax.Array, params: Any) -> Any:
        rows = rows_of_step(KEY, number, len(split), size)

        def mean_loss(params: Any) -> jax.Array:
            losses = loss(outputs_of(params, inputs[rows]), targets[rows])
            return jnp.average(losses.reshape(size, -1).mean(axis=1), weights=jnp.asarray(weights)[rows])

        return jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(mean_loss)(params))

    @jax.jit
    def trained() -> Any:
        params = {"kernel": jnp.zeros((3, 2)), "bias": jnp.zeros(2)}
        params = jax.lax.fori_loop(0, CONFIG.num_steps, step, params)
        outputs = outputs_of(params, jnp.asarray(own.inputs))
        return params, outputs, metric(outputs, jnp.asarray(own.targets), jnp.asarray(own_weights))

    return trained()


def trained(train: Train, loss: str) -> Any:
    """The state at the end of a training, its result, and predictions for validation."""
    program = LossProgram.from_tree(find_tree(loss, None), 32, domain=train.task.domain)

    @jax.jit
    def trained(train: Train) -> Any:
        state = train.advance(train.begin(KEY), program, KEY, jnp.float32(0.1), 0, CONFIG.num_steps)
        return state, train.finish(state), train.predict(state, "validation")

    return trained(train)


@pytest.mark.parametrize(
    ("task", "weights"),
    [("classification", None), ("multilabel", WEIGHTS), ("regression", None), ("segmentation", WEIGHTS)],
)
def test_parameters_are_those_of_a_plain_loop(task: str, weights: Any) -> None:
    dataset, (name, loss) = dataset_of(task, weights), LOSSES[task]
    train = make_train(Linear, dataset, CONFIG)
    state, result, predictions = trained(train, name)
    expected, outputs, score = trained_by_hand(dataset, loss, METRICS[train.task.metrics[0]])
    for parameter in ("kernel", "bias"):
        np.testing.assert_allclose(state.params["layer"][parameter], expected[parameter], rtol=1e-4, atol=1e-5)
    assert result.scores["validation"] == pytest.approx(float(score), rel=1e-4)
    links: dict[str, Callable[..., Any]] = {"multilabel": special.expit, "regression": np.asarray}
    link = links.get(task, partial(special.softmax, axis=-1))
    np.testing.assert_allclose(predictions, link(np.asarray(outputs)), rtol=1e-4, atol=1e-5)


def test_a_program_of_another_domain_is_refused() -> None:
    train = make_train(Linear, dataset_of("regression"), CONFIG)
    program = LossProgram.from_tree(find_tree("brier"), 32)
    with pytest.raises(ConfigurationError, match=r"domain 'probability', but x and y of regression are in 'real'"):
        jax.eval_shape(train, program, KEY)


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
