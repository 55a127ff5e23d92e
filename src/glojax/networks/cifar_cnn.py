"""The paper's network for CIFAR-10."""

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.networks.ops.convolution import convolve
from glojax.networks.ops.groups import in_groups
from glojax.networks.ops.normalisation import local_response_norm
from glojax.networks.ops.pooling import overlapping_max_pool
from glojax.networks.ops.product import product
from glojax.networks.parameters import DecayedParam


class CifarCNN(nnx.Module):
    """5x5 convolution 64, ReLU, pool, norm; 5x5 convolution 64, ReLU, norm, pool; dense 384, ReLU; dense 192; dense 10.

    Pools are 3x3 at stride 2, the norm is local response normalization, and no activation follows the dense 192.

    Source: Gonzalez and Miikkulainen (2020), section IV-A2. The remaining details are those of the TensorFlow CIFAR-10
    tutorial, whose network it is: "SAME" padding; kernels that start truncated normal with a standard deviation of 0.05
    (convolutions), 0.04 (dense 384 and 192) and 1/192 (last layer), cut at two of them; biases that start at 0, 0.1,
    0.1, 0.1 and 0; weight decay on the kernels of dense 384 and 192 alone.

    Example:
        >>> CifarCNN(nnx.Rngs(0))(jnp.zeros((5, 24, 24, 3))).shape
        (5, 10)
    """

    def __init__(self, rngs: nnx.Rngs):
        self.convolution1 = _Convolution(3, bias=0.0, rngs=rngs)
        self.convolution2 = _Convolution(64, bias=0.1, rngs=rngs)
        self.hidden1 = _dense(6 * 6 * 64, 384, stddev=0.04, bias=0.1, rngs=rngs)
        self.hidden2 = _dense(384, 192, stddev=0.04, bias=0.1, rngs=rngs)
        self.output = _dense(192, 10, stddev=1 / 192, bias=0.0, rngs=rngs)
        for layer in (self.hidden1, self.hidden2):
            layer.kernel = DecayedParam(layer.kernel[...])

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, 10] of images [B, 24, 24, 3]; there is no dropout."""
        first, second = self.convolution1, self.convolution2

        def convolutions(images: jax.Array) -> jax.Array:
            # The first bias and ReLU follow the pooling, on a quarter of the values; both are monotonic.
            features = jax.nn.relu(overlapping_max_pool(first(images)) + first.bias[...])
            features = jax.nn.relu(second(local_response_norm(features)) + second.bias[...])
            return overlapping_max_pool(local_response_norm(features))

        features = in_groups(convolutions, images).reshape(images.shape[0], -1)
        logits: jax.Array = self.output(self.hidden2(jax.nn.relu(self.hidden1(features))))
        return logits


class _Convolution(nnx.Module):
    """5x5 convolution of a group of images to 64 features; the caller adds its bias."""

    def __init__(self, in_features: int, *, bias: float, rngs: nnx.Rngs):
        normal = nnx.initializers.truncated_normal(0.05)
        self.kernel = nnx.Param(normal(rngs.params(), (5, 5, in_features, 64), jnp.float32))
        self.bias = nnx.Param(jnp.full(64, bias, jnp.float32))

    def __call__(self, images: jax.Array) -> jax.Array:
        return convolve(images, self.kernel[...])


def _dense(in_features: int, out_features: int, *, stddev: float, bias: float, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(
        in_features,
        out_features,
        kernel_init=nnx.initializers.truncated_normal(stddev),
        bias_init=nnx.initializers.constant(bias),
        dot_general=product,
        rngs=rngs,
    )
