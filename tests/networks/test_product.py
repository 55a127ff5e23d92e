import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.datasets import Dataset, Split
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks.layers import dense
from glojax.networks.ops.product import product
from glojax.training import TrainingConfig, make_train, train_population
from tests.networks.references import random_array, value_and_gradients


def test_the_product_and_its_gradients_are_those_of_jax() -> None:
    inputs, kernel, cotangent = random_array((7, 5), 0), random_array((5, 3), 1), random_array((7, 3), 2)
    ours, expected = (value_and_gradients(each, (inputs, kernel), cotangent) for each in (product, jnp.matmul))
    np.testing.assert_array_equal(ours[0], expected[0])
    for mine, theirs in zip(ours[1:], expected[1:], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinity_stays_where_it_is(value: float) -> None:
    inputs, kernel = random_array((4, 3), 0), random_array((3, 2), 1)
    cotangent = np.array([[value, 0]] + [[0, 0]] * 3, np.float32)
    _, _, kernel_gradient = value_and_gradients(product, (inputs, kernel), cotangent)
    assert not np.isfinite(kernel_gradient[:, 0]).any()
    np.testing.assert_array_equal(kernel_gradient[:, 1], 0)


class DenseNetwork(nnx.Module):
    """Two dense layers for images of 56x56, and something to train before them."""

    def __init__(self, rngs: nnx.Rngs):
        zeros = nnx.initializers.zeros  # random numbers take long to compile
        self.bias = nnx.Param(jnp.zeros(3136))
        self.hidden = dense(3136, 1024, kernel_init=zeros, rngs=rngs)
        self.output = dense(1024, 10, kernel_init=zeros, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Logits [B, 10]."""
        return self.output(jax.nn.relu(self.hidden(images.reshape(images.shape[0], -1) + self.bias[...])))


def test_no_step_of_a_training_copies_a_dense_kernel() -> None:
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (20, 56, 56, 1), dtype=np.uint8), rng.integers(0, 10, 20, dtype=np.int32))
    config = TrainingConfig(4, 10, learning_rate=0.01)
    train = make_train(DenseNetwork, Dataset("random", split, split, split, 10), config)
    programs = LossProgram.from_trees([LossTree.parse("x * log(y)")], 8)
    compiled = jax.jit(lambda train: train_population(train, programs, jax.random.key(0))).lower(train).compile()
    text = compiled.as_text()
    assert text is not None
    assert re.search(r"f32\[3136,1024\]\S* dot\(", text)
    assert not re.search(r"f32\[3136,1024\]\S* copy\(", text)
