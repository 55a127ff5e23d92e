"""The paper's network for CIFAR-10."""

import jax
from flax import nnx

from glojax.networks.layers import ConvolutionBlock, DecayedParam, dense
from glojax.networks.ops.groups import in_groups
from glojax.networks.ops.normalisation import local_response_norm
from glojax.networks.ops.pooling import overlapping_max_pool


class CifarCNN(nnx.Module):
    """5x5 convolution 64, ReLU, pool, norm; 5x5 convolution 64, ReLU, norm, pool; dense 384, ReLU; dense 192; dense 10.

    Pools are 3x3 at stride 2, the norm is local response normalization, and no activation follows the dense 192.

    Source: Gonzalez and Miikkulainen (2020), section IV-A2. The remaining details are those of the TensorFlow CIFAR-10
    tutorial, whose network it is: "SAME" padding; kernels that start truncated normal with a standard deviation of 0.05
    (convolutions), 0.04 (dense 384 and 192) and 1/192 (last layer), cut at two of them; biases that start at 0, 0.1,
    0.1, 0.1 and 0; weight decay on the kernels of dense 384 and 192 alone.

    Examples:
        >>> import jax.numpy as jnp
        >>> CifarCNN(nnx.Rngs(0))(jnp.zeros((5, 24, 24, 3))).shape
        (5, 10)
    """

    def __init__(self, rngs: nnx.Rngs):
        normal = nnx.initializers.truncated_normal
        self.convolution1 = ConvolutionBlock(3, 64, 5, pool=overlapping_max_pool, kernel_init=normal(0.05), rngs=rngs)
        self.convolution2 = ConvolutionBlock(64, 64, 5, pool=None, kernel_init=normal(0.05), bias=0.1, rngs=rngs)
        self.hidden1 = dense(6 * 6 * 64, 384, kernel_init=normal(0.04), bias=0.1, rngs=rngs)
        self.hidden2 = dense(384, 192, kernel_init=normal(0.04), bias=0.1, rngs=rngs)
        self.output = dense(192, 10, kernel_init=normal(1 / 192), rngs=rngs)
        for layer in (self.hidden1, self.hidden2):
            layer.kernel = DecayedParam(layer.kernel[...])

    def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
        """Return logits [B, 10] of images [B, 24, 24, 3]; there is no dropout."""

        def convolutions(images: jax.Array) -> jax.Array:
            features = self.convolution2(local_response_norm(self.convolution1(images)))
            return overlapping_max_pool(local_response_norm(features))

        features = in_groups(convolutions, images).reshape(images.shape[0], -1)
        return self.output(self.hidden2(jax.nn.relu(self.hidden1(features))))
