"""What plain loops of other frameworks share: random data, the loss, the key of the network, and a comparison."""

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


def mean_loss(logits: jax.Array, targets: jax.Array) -> jax.Array:
    loss: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()
    return loss


def assert_close(ours: Any, theirs: Any) -> None:
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)
