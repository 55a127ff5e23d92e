"""A network that compiles fast."""

import jax
from flax import nnx


class LinearNetwork(nnx.Module):
    """One dense layer for 8x8 digits."""

    def __init__(self, rngs: nnx.Rngs):
        self.output = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Logits [B, 10]."""
        logits: jax.Array = self.output(images.reshape(images.shape[0], -1))
        return logits
