"""Flax's MNIST example with a loss of glojax, on the smaller images of digits: a few seconds.

python examples/flax_mnist.py
"""

import jax
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from glojax.losses import baikal


class CNN(nnx.Module):
    """Two convolutions and two dense layers."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(1, 16, kernel_size=(3, 3), rngs=rngs)
        self.conv2 = nnx.Conv(16, 32, kernel_size=(3, 3), rngs=rngs)
        self.linear1 = nnx.Linear(2 * 2 * 32, 64, rngs=rngs)
        self.linear2 = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the logits of a batch."""
        for conv in (self.conv1, self.conv2):
            x = nnx.max_pool(nnx.relu(conv(x)), window_shape=(2, 2), strides=(2, 2))
        return self.linear2(nnx.relu(self.linear1(x.reshape(x.shape[0], -1))))


def loss_fn(model: CNN, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean loss of a batch."""
    # was: optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()
    return baikal(model(images), labels).mean()


@nnx.jit
def train_step(model: CNN, optimizer: nnx.Optimizer, images: jax.Array, labels: jax.Array) -> None:
    """Train for a single step."""
    _, gradient = nnx.value_and_grad(loss_fn)(model, images, labels)
    optimizer.update(model, gradient)


def main() -> None:
    """Train, and print the accuracy."""
    images, labels = load_digits(return_X_y=True)
    images = np.float32(images / 16).reshape(-1, 8, 8, 1)
    images, test_images, labels, test_labels = train_test_split(images, labels, test_size=0.2, random_state=0)
    model, rng = CNN(nnx.Rngs(0)), np.random.default_rng(0)
    optimizer = nnx.Optimizer(model, optax.adamw(0.005, 0.9), wrt=nnx.Param)
    for batch in rng.choice(len(labels), (150, 32)):
        train_step(model, optimizer, images[batch], labels[batch])
    accuracy = (model(test_images).argmax(axis=-1) == test_labels).mean()
    print(f"test accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
