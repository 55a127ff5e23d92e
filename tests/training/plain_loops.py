"""What plain loops share: random data, the batches, the loss, the key of the network, and a comparison."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax

from glojax.datasets import Dataset

RATE = 0.05
NETWORK_KEY = jax.random.split(jax.random.key(3), 3)[0]


def random_data(shape: tuple[int, ...]) -> Dataset:
    rng = np.random.default_rng(0)
    inputs, targets = rng.uniform(size=(16, *shape)).astype(np.float32), np.arange(16) % 10
    return Dataset.from_arrays("random", inputs, targets, validation=(inputs, targets))


@partial(jax.jit, static_argnums=(2, 3))
def rows_of_step(key: jax.Array, number: jax.Array | int, num_examples: int, batch_size: int) -> jax.Array:
    """The training examples in the batch of a step: each epoch is a fresh shuffle."""
    per_epoch = num_examples // batch_size
    _, shuffle_key, _ = jax.random.split(key, 3)
    order = jax.random.permutation(jax.random.fold_in(shuffle_key, number // per_epoch), num_examples)
    return jax.lax.dynamic_slice_in_dim(order, number % per_epoch * batch_size, batch_size)


def mean_loss(logits: jax.Array, targets: jax.Array) -> jax.Array:
    loss: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()
    return loss


def assert_close(ours: Any, theirs: Any) -> None:
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)
