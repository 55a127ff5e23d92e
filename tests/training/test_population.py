from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.datasets import load_dataset
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training import Train, TrainingConfig, TrainResult, make_train, train_population
from tests.linear_network import LinearNetwork

LOSSES = ["x * log(y)", "log(y) - x / y", "x / (y - y)", "x * y", "x * sqrt(y) - y^2"]
PROGRAMS = LossProgram.from_trees([LossTree.parse(text) for text in LOSSES], 16)


@pytest.fixture(scope="module")
def train() -> Train:
    return make_train(LinearNetwork, load_dataset("digits"), TrainingConfig(40, batch_size=64, learning_rate=0.05))


@pytest.fixture(scope="module")
def keys() -> jax.Array:
    return jax.random.split(jax.random.key(1), len(LOSSES))


@pytest.fixture(scope="module")
def mapped(train: Train, keys: jax.Array) -> TrainResult:
    return train_population(train, PROGRAMS, keys)


def assert_close(ours: TrainResult, theirs: TrainResult) -> None:
    np.testing.assert_array_equal(ours.finite, theirs.finite)
    np.testing.assert_array_equal(ours.num_steps, theirs.num_steps)
    # Rounding may move a few of 360 predictions across the border.
    np.testing.assert_allclose(ours.scores["validation"], theirs.scores["validation"], atol=5 / 360)


def test_a_population_is_its_candidates_one_by_one(train: Train, keys: jax.Array, mapped: TrainResult) -> None:
    for row in range(len(LOSSES)):
        alone = train_population(
            train, jax.tree.map(lambda array, row=row: array[row : row + 1], PROGRAMS), keys[row : row + 1]
        )
        for ours, theirs in zip(jax.tree.leaves(alone), jax.tree.leaves(mapped), strict=True):
            assert np.asarray(ours)[0] == np.asarray(theirs)[row]


def test_a_curve_leads_to_the_scores_of_a_training_without_it(
    train: Train, keys: jax.Array, mapped: TrainResult
) -> None:
    config = replace(train.config, evaluate_every=15)
    measured = train_population(replace(train, config=config), PROGRAMS, keys)
    assert_close(measured, mapped)
    assert mapped.curve is None
    assert config.evaluated_steps == (15, 30, 40)
    assert measured.curve is not None
    scores = np.where(measured.finite, measured.scores["validation"], np.nan)
    np.testing.assert_allclose(measured.curve[:, 2], scores, rtol=1e-6)
    assert len(np.unique(np.asarray(measured.curve)[0])) == 3


def test_a_chunk_may_be_larger_than_the_population(train: Train, keys: jax.Array, mapped: TrainResult) -> None:
    assert_close(train_population(train, PROGRAMS, keys, chunk_size=8), mapped)


def test_a_mesh_gives_what_one_device_gives(train: Train, keys: jax.Array, mapped: TrainResult) -> None:
    mesh = jax.make_mesh((4,), ("population",), devices=jax.devices()[:4])
    assert_close(train_population(train, PROGRAMS, keys, mesh=mesh), mapped)


def test_each_candidate_has_its_own_learning_rate(train: Train) -> None:
    programs = LossProgram.from_trees([LossTree.parse("x * log(y)")] * 5, 16)
    keys = jnp.stack([jax.random.key(0)] * 5)
    result = train_population(train, programs, keys, np.array([0.05, 0.5, 0.05, 0.05, 0.05], np.float32))
    slow, fast, again, *_ = result.scores["validation"].tolist()
    assert slow == again
    assert fast > slow


def test_bad_arguments_are_refused(train: Train, keys: jax.Array) -> None:
    with pytest.raises(ConfigurationError, match="chunk_size is 0"):
        train_population(train, PROGRAMS, keys, chunk_size=0)
    with pytest.raises(ConfigurationError, match=r"Got keys of shape \(2,\), programs of shape \(5,\)"):
        train_population(train, PROGRAMS, keys[:2])
    with pytest.raises(ConfigurationError, match=r"learning rates of shape \(3,\)"):
        train_population(train, PROGRAMS, keys, jnp.ones(3))
    with pytest.raises(ConfigurationError, match="keys are of type uint32; expected typed keys"):
        train_population(train, PROGRAMS, jax.random.split(jax.random.PRNGKey(0), len(LOSSES)))
    with pytest.raises(ConfigurationError, match="keys are of type int; expected typed keys"):
        train_population(train, PROGRAMS, 0)  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match="expected one named 'population'"):
        train_population(train, PROGRAMS, keys, mesh=jax.make_mesh((2,), ("data",), devices=jax.devices()[:2]))
