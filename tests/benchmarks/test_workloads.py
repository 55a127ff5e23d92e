import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from benchmarks.population import agreement
from benchmarks.population.agreement import check_flax, check_torch
from benchmarks.population.flax_networks import plain_network
from benchmarks.workloads import CAPACITY, WORKLOADS, Layer, loss_trees, training_flops
from glojax.losses import cross_entropy
from glojax.training import decisive_settings
from glojax.training.augmentation import augmented_shape
from tests.linear_network import LinearNetwork


def test_a_step_of_mnist_is_known_by_hand() -> None:
    first = 2 * 100 * 28 * 28 * 25 * 32
    second = 2 * 100 * 14 * 14 * 25 * 32 * 64
    hidden, output = 2 * 100 * 7 * 7 * 64 * 1024, 2 * 100 * 1024 * 10
    workload = WORKLOADS["mnist"]
    assert training_flops(workload.layers, 100) == 2 * first + 3 * (second + hidden + output)
    assert workload.gigaflop == pytest.approx(8.2, abs=0.01)


def kernel_shapes(network: str) -> list[tuple[int, ...]]:
    workload = WORKLOADS[network]
    params: Any = nnx.to_pure_dict(nnx.state(nnx.eval_shape(lambda: workload.network(nnx.Rngs(0))), nnx.Param))
    return [params[name]["kernel"].shape for name in workload.parameters]


@pytest.mark.parametrize("network", WORKLOADS)
def test_layers_are_those_of_the_network(network: str) -> None:
    assert [(layer.inputs, layer.outputs) for layer in WORKLOADS[network].layers] == [
        (math.prod(shape[:-1]), shape[-1]) for shape in kernel_shapes(network)
    ]


@pytest.mark.parametrize("network", WORKLOADS)
def test_the_count_is_xlas_but_for_the_padding(network: str) -> None:
    workload = WORKLOADS[network]
    batch_size = workload.config.batch_size

    def inside(layer: Layer, kernel_shape: tuple[int, ...]) -> Layer:
        """The layer without the products that fall on the padding, which XLA leaves out."""
        if len(kernel_shape) == 2:
            return layer
        side, size, radius = math.isqrt(layer.pixels), kernel_shape[0], kernel_shape[0] // 2
        share = (1 - radius * (radius + 1) / (size * side)) ** 2
        return layer._replace(pixels=round(layer.pixels * share))

    graphdef, params = nnx.split(nnx.eval_shape(lambda: plain_network(network, nnx.Rngs(0))))
    shape = (batch_size, *augmented_shape(workload.config.augmentation, workload.input_shape))

    def gradient(params: Any, images: jax.Array, labels: jax.Array) -> Any:
        return jax.grad(lambda params: cross_entropy(nnx.merge(graphdef, params)(images), labels).mean())(params)

    lowered = jax.jit(gradient).lower(
        params, jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct((batch_size,), jnp.int32)
    )
    analysis: Any = lowered.cost_analysis()
    expected = training_flops(list(map(inside, workload.layers, kernel_shapes(network))), batch_size)
    # XLA counts everything else that happens, too.
    assert 0.98 * expected <= analysis["flops"] <= 1.1 * expected


# All networks are checked whenever the benchmark runs; the others take too long to compile here.


def test_the_plain_flax_network_is_the_same_function() -> None:
    check_flax("digits")


def test_the_pytorch_network_is_the_same_function() -> None:
    pytest.importorskip("torch")
    check_torch("digits", "cpu")


def test_networks_are_compared_with_products_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Network(LinearNetwork):
        def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
            seen.append(decisive_settings()["jax_default_matmul_precision"])
            return super().__call__(images) + jnp.arange(10.0)

    workload = WORKLOADS["digits"]._replace(network=Network, parameters=("output",))
    monkeypatch.setitem(WORKLOADS, "digits", workload)
    monkeypatch.setattr("benchmarks.population.agreement.plain_network", lambda _, rngs: Network(rngs))
    agreement._own_arrays.cache_clear()
    try:
        check_flax("digits")
    finally:
        agreement._own_arrays.cache_clear()
    assert len(seen) == 2
    assert set(seen) == {"highest"}
    assert decisive_settings()["jax_default_matmul_precision"] == "None"


def test_a_network_that_differs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.population.agreement.TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="of the digits network differ between glojax and plain Flax"):
        check_flax("digits")


def test_losses_are_different_and_fit_their_programs() -> None:
    trees = loss_trees(80)
    assert len(set(trees)) == 80
    assert max(tree.size for tree in trees) <= CAPACITY


def test_losses_in_pytorch_are_those_of_glojax() -> None:
    torch = pytest.importorskip("torch")
    from benchmarks.population.torch_networks import torch_loss
    from glojax import make_loss

    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(5, 10)).astype(np.float32), rng.integers(0, 10, 5)
    for tree in loss_trees(10):
        ours = make_loss(tree)(jnp.asarray(logits), jnp.asarray(labels)).mean()
        theirs = torch_loss(tree)(torch.tensor(logits), torch.tensor(labels))
        np.testing.assert_allclose(float(ours), float(theirs), rtol=1e-5)
