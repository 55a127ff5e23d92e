"""An optax loop with a loss of glojax: a network of two layers learns digits in a few seconds.

python examples/optax_loop.py
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from glojax.losses import baikal

Params = dict[str, jax.Array]
optimizer = optax.adam(1e-2)


def network(params: Params, images: jax.Array) -> jax.Array:
    """Return the logits of a batch."""
    hidden = jax.nn.relu(images @ params["kernel_1"] + params["bias_1"])
    return hidden @ params["kernel_2"] + params["bias_2"]


def loss_fn(params: Params, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean loss of a batch."""
    # was: optax.softmax_cross_entropy_with_integer_labels(network(params, images), labels).mean()
    return baikal(network(params, images), labels).mean()


@jax.jit
def step(params: Params, state: optax.OptState, images: jax.Array, labels: jax.Array) -> tuple[Params, optax.OptState]:
    """Train for a single step."""
    updates, state = optimizer.update(jax.grad(loss_fn)(params, images, labels), state)
    return optax.apply_updates(params, updates), state


def main() -> None:
    """Train, and print the accuracy."""
    images, labels = load_digits(return_X_y=True)
    images, test_images, labels, test_labels = train_test_split(
        np.float32(images / 16), labels, test_size=0.2, random_state=0
    )
    rng = np.random.default_rng(0)
    params = {"kernel_1": jnp.float32(rng.normal(0, 0.1, (64, 64))), "bias_1": jnp.zeros(64)}
    params |= {"kernel_2": jnp.float32(rng.normal(0, 0.1, (64, 10))), "bias_2": jnp.zeros(10)}
    state = optimizer.init(params)
    for batch in rng.choice(len(labels), (200, 64)):
        params, state = step(params, state, images[batch], labels[batch])
    accuracy = (network(params, test_images).argmax(axis=-1) == test_labels).mean()
    print(f"test accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
