"""The networks in plain Flax, with the parameters of glojax's networks."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class PlainCNN(nnx.Module):
    """`DigitsCNN` and `MnistCNN`."""

    def __init__(
        self, kernel: int, channels: tuple[int, int], hidden: int, side: int, dropout: float, *, rngs: nnx.Rngs
    ):
        first, second = channels
        self.block1 = nnx.Conv(1, first, (kernel, kernel), rngs=rngs)
        self.block2 = nnx.Conv(first, second, (kernel, kernel), rngs=rngs)
        self.hidden = nnx.Linear(second * (side // 4) ** 2, hidden, rngs=rngs)
        self.dropout = nnx.Dropout(dropout)
        self.output = nnx.Linear(hidden, 10, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, 10]."""
        features = nnx.max_pool(jax.nn.relu(self.block1(images)), (2, 2), (2, 2))
        features = nnx.max_pool(jax.nn.relu(self.block2(features)), (2, 2), (2, 2))
        hidden = jax.nn.relu(self.hidden(features.reshape(images.shape[0], -1)))
        hidden = self.dropout(hidden, deterministic=dropout_key is None, rngs=dropout_key)
        logits: jax.Array = self.output(hidden)
        return logits


class PlainCifarCNN(nnx.Module):
    """`CifarCNN`."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.convolution1 = nnx.Conv(3, 64, (5, 5), rngs=rngs)
        self.convolution2 = nnx.Conv(64, 64, (5, 5), rngs=rngs)
        self.hidden1 = nnx.Linear(6 * 6 * 64, 384, rngs=rngs)
        self.hidden2 = nnx.Linear(384, 192, rngs=rngs)
        self.output = nnx.Linear(192, 10, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, 10]."""
        features = jax.nn.relu(self.convolution1(images))
        features = local_response_norm(nnx.max_pool(features, (3, 3), (2, 2), "SAME"))
        features = local_response_norm(jax.nn.relu(self.convolution2(features)))
        features = nnx.max_pool(features, (3, 3), (2, 2), "SAME").reshape(images.shape[0], -1)
        logits: jax.Array = self.output(self.hidden2(jax.nn.relu(self.hidden1(features))))
        return logits


def local_response_norm(images: jax.Array) -> jax.Array:
    """Normalise over 9 channels, as the TensorFlow CIFAR-10 tutorial does."""
    sums = lax.reduce_window(jnp.square(images), 0.0, lax.add, (1, 1, 1, 9), (1, 1, 1, 1), "SAME")
    normalised: jax.Array = images * (1 + 0.001 / 9 * sums) ** -0.75
    return normalised


def plain_network(network: str, rngs: nnx.Rngs) -> Any:
    """Return the network of a workload."""
    if network == "digits":
        return PlainCNN(3, (16, 32), 64, side=8, dropout=0.0, rngs=rngs)
    if network == "mnist":
        return PlainCNN(5, (32, 64), 1024, side=28, dropout=0.4, rngs=rngs)
    return PlainCifarCNN(rngs=rngs)
