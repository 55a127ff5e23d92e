"""What the trainer needs of a network, and the built-in ones by name."""

from collections.abc import Callable
from typing import Protocol

import jax
from flax import nnx

from glojax.networks.digits_cnn import DigitsCNN
from glojax.networks.mnist_cnn import MnistCNN


class Network(Protocol):
    """A Flax NNX module that classifies images.

    Any module class of this shape can be trained; all its state is parameters.
    """

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Logits [B, C] of images [B, H, W, channels] in [0, 1]; without a key nothing is dropped."""


#: Builds a network with fresh parameters, as a module class called with `nnx.Rngs` does.
NetworkFactory = Callable[[nnx.Rngs], Network]

NETWORKS: dict[str, NetworkFactory] = {"DigitsCNN": DigitsCNN, "MnistCNN": MnistCNN}
