"""A network that ends the process which trains it; workers import it from this module."""

import os
import signal

import jax
import jax.numpy as jnp
import numpy as np

from tests.linear_network import LinearNetwork


class FragileNetwork(LinearNetwork):
    """Kills its process once its logits are beyond 1e20, as a learning rate of 1e30 makes them in the second step."""

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        logits = super().__call__(images, dropout_key=dropout_key)
        jax.debug.callback(_die_unless, (jnp.abs(logits) < 1e20).all())
        return logits


def _die_unless(bounded: np.ndarray) -> None:
    if not bounded:
        os.kill(os.getpid(), signal.SIGKILL)
