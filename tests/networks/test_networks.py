import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.networks import NETWORKS, DigitsCNN, MnistCNN, NetworkFactory
from glojax.networks.layers import ConvolutionBlock


@pytest.mark.parametrize(
    ("network", "shape", "num_parameters"),
    [
        (DigitsCNN, (8, 8, 1), (9 * 16 + 16) + (9 * 16 * 32 + 32) + (128 * 64 + 64) + (64 * 10 + 10)),
        (MnistCNN, (28, 28, 1), (25 * 32 + 32) + (25 * 32 * 64 + 64) + (3136 * 1024 + 1024) + (1024 * 10 + 10)),
    ],
)
def test_a_network_has_the_layers_it_names(
    network: NetworkFactory, shape: tuple[int, ...], num_parameters: int
) -> None:
    model = network(nnx.Rngs(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))) == num_parameters
    assert model(jnp.zeros((3, *shape))).shape == (3, 10)


def test_a_block_is_convolution_relu_pooling_in_the_usual_order() -> None:
    block = ConvolutionBlock(2, 5, 3, rngs=nnx.Rngs(0))
    block.bias[...] = jnp.linspace(-0.5, 0.5, 5)
    images = jnp.float32(np.random.default_rng(0).normal(size=(4, 6, 6, 2)))
    usual = nnx.Conv(2, 5, (3, 3), rngs=nnx.Rngs(0))
    assert usual.bias is not None
    usual.kernel[...], usual.bias[...] = block.kernel[...], block.bias[...]
    np.testing.assert_allclose(
        block(images), nnx.max_pool(nnx.relu(usual(images)), (2, 2), (2, 2)), rtol=1e-4, atol=1e-6
    )


def test_kernels_start_glorot_uniform_and_biases_at_zero() -> None:
    model = MnistCNN(nnx.Rngs(1))
    kernel = np.asarray(model.block2.kernel[...])
    limit = np.sqrt(6 / (25 * 32 + 25 * 64))
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert not np.asarray(model.block2.bias[...]).any()


def test_dropout_needs_a_key_and_follows_it() -> None:
    model = MnistCNN(nnx.Rngs(0))
    images = jnp.float32(np.random.default_rng(0).uniform(size=(4, 28, 28, 1)))
    plain, first, again, second = (
        model(images, dropout_key=key) for key in (None, jax.random.key(0), jax.random.key(0), jax.random.key(1))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, second)
    assert not np.allclose(first, plain)
    # On average dropping changes nothing, since what is kept is scaled up.
    graphdef, state = nnx.split(model)
    many = jax.lax.map(
        lambda key: nnx.merge(graphdef, state)(images, dropout_key=key), jax.random.split(jax.random.key(2), 100)
    )
    np.testing.assert_allclose(many.mean(axis=0), plain, atol=5 * float(many.std(axis=0).max()) / 10)


def test_a_network_is_known_by_its_own_name() -> None:
    assert {name: network.__name__ for name, network in NETWORKS.items()} == {name: name for name in NETWORKS}
