"""A small network for tables."""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.networks.layers import DecayedParam, dense, require_one_array


class SmallMLP(nnx.Module):
    """Dense 64, ReLU; dense 64, ReLU; dense num_outputs, for inputs of any shape, which are flattened.

    `for_data` fits it to a data set. Weight decay acts on the kernels of the hidden layers.

    Examples:
        >>> SmallMLP(nnx.Rngs(0), input_shape=(13,), num_outputs=3)(jnp.zeros((5, 13))).shape
        (5, 3)
    """

    def __init__(self, rngs: nnx.Rngs, *, input_shape: tuple[int, ...], num_outputs: int):
        self.hidden1 = dense(math.prod(input_shape), 64, rngs=rngs)
        self.hidden2 = dense(64, 64, rngs=rngs)
        self.output = dense(64, num_outputs, rngs=rngs)
        for layer in (self.hidden1, self.hidden2):
            layer.kernel = DecayedParam(layer.kernel[...])

    @classmethod
    def for_data(cls, input_shape: tuple[int, ...], num_outputs: int) -> Callable[[nnx.Rngs], "SmallMLP"]:
        """Return the builder of the network for inputs of this shape and number of outputs."""
        require_one_array("SmallMLP", input_shape)
        return partial(cls, input_shape=input_shape, num_outputs=num_outputs)

    def __call__(self, inputs: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return outputs [B, num_outputs] of inputs [B, ...]; there is no dropout."""
        features = inputs.reshape(inputs.shape[0], -1).astype(jnp.float32)
        for layer in (self.hidden1, self.hidden2):
            features = jax.nn.relu(layer(features))
        return self.output(features)
