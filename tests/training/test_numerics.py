"""Settings of JAX and types of layers that forbid what careless code does."""

from contextlib import nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.datasets import Dataset
from glojax.losses import LossProgram, find_tree
from glojax.training import TrainingConfig, make_train, train_population

PROGRAMS = LossProgram.from_trees([find_tree("cross_entropy")] * 2, 8)


class Network(nnx.Module):
    def __init__(self, dtype: Any, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(2, 4, dtype=dtype, rngs=rngs)
        self.output = nnx.Linear(4, 3, dtype=dtype, rngs=rngs)
        self.scale = jnp.array([1.0, -1.0], jnp.float32)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        logits: jax.Array = self.output(nnx.relu(self.hidden(inputs * self.scale[None])))
        return logits


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Three classes that a small network tells apart at once."""
    rng = np.random.default_rng(0)
    targets = np.arange(60) % 3
    inputs = np.array([[3, 0], [-3, 3], [0, -3]], np.float32)[targets] + rng.normal(size=(60, 2)).astype(np.float32)
    return Dataset.from_arrays("blobs", inputs, targets, validation=0.5)


CONFIG = TrainingConfig(40, 10, 0.1)


@pytest.mark.parametrize(
    ("setting", "dtype"),
    [
        (partial(jax.enable_x64, True), jnp.float64),
        (nullcontext, jnp.float16),
        (partial(jax.numpy_rank_promotion, "raise"), None),
    ],
)
def test_a_training_can_be_traced_under_any_setting_and_in_any_type(setting: Any, dtype: Any, dataset: Dataset) -> None:
    with setting(), jax.numpy_dtype_promotion("standard"):
        train = make_train(partial(Network, dtype), dataset, CONFIG)
        results = jax.eval_shape(partial(train_population, chunk_size=2), train, PROGRAMS, jax.random.key(0))
    assert results.scores["validation"].dtype == jnp.float32


def test_a_network_in_bfloat16_learns_where_transfers_need_consent(dataset: Dataset) -> None:
    key = jax.random.key(0)
    with jax.transfer_guard("disallow"):
        train = make_train(partial(Network, jnp.bfloat16), dataset, CONFIG)
        result = train_population(train, PROGRAMS, key, np.full(2, 0.1, np.float32))
    assert np.asarray(result.scores["validation"]).min() > 0.9
