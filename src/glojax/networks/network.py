"""What the trainer needs of a network, and the built-in ones by name."""

from collections.abc import Callable
from typing import Protocol

import jax
from flax import nnx

from glojax.networks.cifar_cnn import CifarCNN
from glojax.networks.digits_cnn import DigitsCNN
from glojax.networks.mnist_cnn import MnistCNN
from glojax.networks.small_cnn import SmallCNN


class Network(Protocol):
    """A Flax NNX module that classifies images.

    Any module class of this shape can be trained; all its state is parameters, and weight decay acts on those that are
    a `DecayedParam`.
    """

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Logits [B, C] of images [B, H, W, channels]; without a key nothing is dropped."""


#: Builds a network with fresh parameters, as a module class called with `nnx.Rngs` does. One that depends on the data
#: has a class method `for_images(image_shape, num_classes)`, which gives what builds the network for them.
NetworkFactory = Callable[..., Network]

NETWORKS: dict[str, NetworkFactory] = {
    "DigitsCNN": DigitsCNN,
    "MnistCNN": MnistCNN,
    "CifarCNN": CifarCNN,
    "SmallCNN": SmallCNN,
}


def fitted(
    network: NetworkFactory, image_shape: tuple[int, int, int], num_classes: int
) -> Callable[[nnx.Rngs], Network]:
    """What builds the network for images of this H, W and channels; most factories do it for one kind of image only."""
    for_images = getattr(network, "for_images", None)
    build: Callable[[nnx.Rngs], Network] = for_images(image_shape, num_classes) if for_images else network
    return build
