from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from glojax.errors import ConfigurationError
from glojax.networks import (
    NETWORKS,
    CifarCNN,
    DecayedParam,
    DigitsCNN,
    MnistCNN,
    NetworkFactory,
    PureNetwork,
    SmallCNN,
    SmallFCN,
    SmallMLP,
)
from glojax.networks.layers import ConvolutionBlock
from tests.networks import references
from tests.networks.references import random_array, value_and_gradients


def logits_shape(model: Any, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of three images; nothing is computed."""
    images = jax.ShapeDtypeStruct((3, *input_shape), jnp.float32)
    shape: tuple[int, ...] = nnx.eval_shape(lambda model, images: model(images), model, images).shape
    return shape


@pytest.mark.parametrize(
    ("network", "shape", "num_parameters"),
    [
        (DigitsCNN, (8, 8, 1), (9 * 16 + 16) + (9 * 16 * 32 + 32) + (128 * 64 + 64) + (64 * 10 + 10)),
        (MnistCNN, (28, 28, 1), (25 * 32 + 32) + (25 * 32 * 64 + 64) + (3136 * 1024 + 1024) + (1024 * 10 + 10)),
        (
            CifarCNN,
            (24, 24, 3),
            (75 * 64 + 64) + (1600 * 64 + 64) + (2304 * 384 + 384) + (384 * 192 + 192) + (192 * 10 + 10),
        ),
    ],
)
def test_a_network_has_the_layers_it_names(
    network: Callable[..., Any], shape: tuple[int, ...], num_parameters: int
) -> None:
    model = nnx.eval_shape(lambda: network(nnx.Rngs(0)))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))) == num_parameters
    assert logits_shape(model, shape) == (3, 10)


@pytest.fixture(scope="module")
def mnist_cnn() -> MnistCNN:
    return MnistCNN(nnx.Rngs(0))


@pytest.fixture(scope="module")
def cifar_cnn() -> CifarCNN:
    return CifarCNN(nnx.Rngs(0))


@pytest.mark.parametrize(
    ("network", "reference", "shape"),
    [("mnist_cnn", references.mnist_cnn, (28, 28, 1)), ("cifar_cnn", references.cifar_cnn, (24, 24, 3))],
)
def test_logits_and_gradients_are_those_of_plain_operations_in_float64(
    network: str, reference: Callable[..., jax.Array], shape: tuple[int, ...], request: pytest.FixtureRequest
) -> None:
    graphdef, state = nnx.split(request.getfixturevalue(network))
    params = jax.tree.map(np.asarray, nnx.to_pure_dict(state))
    images, weights = random_array((3, *shape), 0), random_array((3, 10), 1)

    def logits(params: Any) -> jax.Array:
        model: Any = nnx.merge(graphdef, nnx.State(params))
        found: jax.Array = model(images)
        return found

    ours = value_and_gradients(logits, [params], weights)
    with jax.enable_x64(True):
        precise, inputs = jax.tree.map(np.float64, (params, images))
        expected = value_and_gradients(lambda params: reference(params, inputs), [precise], np.float64(weights))
    for one, other in zip(ours, expected, strict=True):
        assert other.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())


def test_a_block_is_convolution_relu_pooling_in_the_usual_order() -> None:
    images, kernel, bias = random_array((4, 6, 6, 2), 0), random_array((3, 3, 2, 5), 1), np.linspace(-0.5, 0.5, 5)

    @jax.jit
    def both(images: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
        block, usual = ConvolutionBlock(2, 5, 3, rngs=nnx.Rngs(0)), nnx.Conv(2, 5, (3, 3), rngs=nnx.Rngs(0))
        assert usual.bias is not None
        block.kernel[...], block.bias[...] = kernel, bias
        usual.kernel[...], usual.bias[...] = kernel, bias
        return block(images), nnx.max_pool(nnx.relu(usual(images)), (2, 2), (2, 2))

    ours, expected = both(images, kernel, bias.astype(np.float32))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_kernels_start_glorot_uniform_and_biases_at_zero(mnist_cnn: MnistCNN) -> None:
    kernel = np.asarray(mnist_cnn.block2.kernel[...])
    limit = np.sqrt(6 / (25 * 32 + 25 * 64))
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert not np.asarray(mnist_cnn.block2.bias[...]).any()


def test_the_cifar_network_starts_as_the_tutorial_has_it(cifar_cnn: CifarCNN) -> None:
    expected = {
        "convolution1": (0.05, 0, nnx.Param),
        "convolution2": (0.05, 0.1, nnx.Param),
        "hidden1": (0.04, 0.1, DecayedParam),
        "hidden2": (0.04, 0.1, DecayedParam),
        "output": (1 / 192, 0, nnx.Param),
    }
    for name, (stddev, bias, kind) in expected.items():
        layer = getattr(cifar_cnn, name)
        kernel = np.asarray(layer.kernel[...])
        assert np.abs(kernel).max() <= 2 * stddev
        # Cutting a normal distribution at two standard deviations leaves 0.8796 of its standard deviation.
        assert kernel.std() == pytest.approx(0.8796 * stddev, rel=0.05)
        np.testing.assert_array_equal(layer.bias[...], np.float32(bias))
        assert (type(layer.kernel), type(layer.bias)) == (kind, nnx.Param)


@pytest.mark.parametrize(
    ("input_shape", "num_outputs"),
    [((8, 8, 1), 2), ((28, 28, 1), 10), ((32, 32, 3), 10), ((9, 15, 2), 2), ((1, 2, 1), 10), ((8, 8), 10)],
)
def test_the_small_network_fits_any_images(input_shape: tuple[int, ...], num_outputs: int) -> None:
    pure = PureNetwork(SmallCNN, input_shape, num_outputs)
    params, rest = jax.eval_shape(pure.init, jax.random.key(0))
    logits = jax.eval_shape(pure.outputs, params, rest, jax.ShapeDtypeStruct((3, *input_shape), jnp.float32))
    assert logits.shape == (3, num_outputs)


@pytest.mark.parametrize(
    ("network", "input_shape", "num_outputs", "num_parameters", "shape"),
    [
        (SmallMLP, (10,), 1, (10 * 64 + 64) + (64 * 64 + 64) + (64 + 1), (1,)),
        (SmallMLP, (3, 4), 2, (12 * 64 + 64) + (64 * 64 + 64) + (64 * 2 + 2), (2,)),
        (SmallFCN, (7, 12, 2), 5, (18 * 16 + 16) + 2 * (144 * 16 + 16) + (16 * 5 + 5), (7, 12, 5)),
        (SmallFCN, (8, 8), 2, (9 * 16 + 16) + 2 * (144 * 16 + 16) + (16 * 2 + 2), (8, 8, 2)),
    ],
)
def test_a_small_network_fits_its_inputs(
    network: NetworkFactory, input_shape: tuple[int, ...], num_outputs: int, num_parameters: int, shape: tuple[int, ...]
) -> None:
    pure = PureNetwork(network, input_shape, num_outputs)
    params, rest = jax.eval_shape(pure.init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == num_parameters
    outputs = jax.eval_shape(pure.outputs, params, rest, jax.ShapeDtypeStruct((3, *input_shape), jnp.float32))
    assert outputs.shape == (3, *shape)


def test_a_network_for_one_kind_of_images_is_taken_as_it_is() -> None:
    params, _ = jax.eval_shape(PureNetwork(MnistCNN, (8, 8, 1), 3).init, jax.random.key(0))
    assert params["output"]["bias"].shape == (10,)


def test_dropout_needs_a_key_and_follows_it(mnist_cnn: MnistCNN) -> None:
    graphdef, state = nnx.split(mnist_cnn)
    images = np.random.default_rng(0).uniform(size=(4, 28, 28, 1)).astype(np.float32)

    @jax.jit
    def logits(state: Any, seed: int | None) -> jax.Array:
        model: Any = nnx.merge(graphdef, state)
        found: jax.Array = model(images, dropout_key=None if seed is None else jax.random.key(seed))
        return found

    plain, *many = (np.asarray(logits(state, seed)) for seed in (None, *range(50)))
    np.testing.assert_array_equal(logits(state, 0), many[0])
    assert not np.allclose(many[0], many[1])
    assert not np.allclose(many[0], plain)
    # On average dropping changes nothing, since what is kept is scaled up.
    np.testing.assert_allclose(np.mean(many, axis=0), plain, atol=5 * np.std(many, axis=0).max() / np.sqrt(50))


def test_a_network_is_known_by_its_own_name() -> None:
    assert {name: network.__name__ for name, network in NETWORKS.items()} == {name: name for name in NETWORKS}


@pytest.mark.parametrize("network", [SmallCNN, SmallFCN])
@pytest.mark.parametrize("input_shape", [(13,), (4, 8, 8, 3)])
def test_the_small_networks_for_images_refuse_other_inputs(network: Any, input_shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match=rf"{network.__name__} takes images of shape .* have shape \("):
        network.for_data(input_shape, 3)


def test_the_small_networks_take_whole_numbers() -> None:
    images = np.arange(5 * 8 * 9).reshape(5, 8, 9) % 7
    for network in (SmallCNN, SmallFCN, SmallMLP):
        made = network(nnx.Rngs(0), input_shape=(8, 9), num_outputs=3)
        np.testing.assert_array_equal(made(jnp.asarray(images)), made(jnp.asarray(images, jnp.float32)))
