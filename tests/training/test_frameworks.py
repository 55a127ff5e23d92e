"""Networks as their authors wrote them, against plain loops in the same framework with optax, step by step."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

from benchmarks.users_networks import TutorialCNN
from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.losses import LossProgram, find_tree
from glojax.networks import PureNetwork, from_functions, with_output
from glojax.training import TrainingConfig, TrainState, make_train
from tests.training.plain_loops import NETWORK_KEY, RATE, assert_close, mean_loss, random_data, rows_of_step

BATCH_SIZE, NUM_STEPS = 4, 3
CROSS_ENTROPY = LossProgram.from_tree(find_tree("cross_entropy"), 8)


def trained(network: Any, dataset: Dataset, optimizer: Any = "sgd") -> Iterator[TrainState]:
    """The states before the first step, and after each."""
    config = TrainingConfig(NUM_STEPS, BATCH_SIZE, RATE, optimizer=optimizer)
    train, key = make_train(network, dataset, config), jax.random.key(3)
    state = jax.jit(lambda train: train.begin(key))(train)
    yield state
    step = jax.jit(
        lambda train, state, number: train.advance(
            state, CROSS_ENTROPY, key, jnp.float32(RATE), number, jnp.minimum(number, NUM_STEPS) + 1
        )
    )
    for number in range(NUM_STEPS):
        state = step(train, state, number)
        yield state


def batches(dataset: Dataset) -> Iterator[tuple[jax.Array, jax.Array, jax.Array]]:
    """Inputs, targets and key of each step, as the trainer has them."""
    for number in range(NUM_STEPS):
        rows, key = _rows_and_key(number, len(dataset.train))
        yield dataset.train.inputs[rows], dataset.train.targets[rows], key


@partial(jax.jit, static_argnums=1)
def _rows_and_key(number: int, num_examples: int) -> tuple[jax.Array, jax.Array]:
    key = jax.random.key(3)
    step_key = jax.random.fold_in(jax.random.split(key, 3)[2], number)
    return rows_of_step(key, number, num_examples, BATCH_SIZE), step_key


def test_the_network_of_flax_s_tutorial_trains_as_in_flax() -> None:
    dataset = random_data((28, 28, 1))
    states = trained(TutorialCNN, dataset)
    first = next(states)
    model = nnx.eval_shape(lambda: TutorialCNN(rngs=nnx.Rngs(0)))
    nnx.update(model, first.params, first.rest)
    optimizer = nnx.Optimizer(model, optax.sgd(RATE), wrt=nnx.Param)
    model.train()  # type: ignore[no-untyped-call]

    @nnx.jit
    def step(model: Any, optimizer: Any, inputs: jax.Array, targets: jax.Array, key: jax.Array) -> None:
        gradient = nnx.grad(lambda model: mean_loss(model(inputs, nnx.Rngs(key)), targets))(model)
        optimizer.update(model, gradient)

    for state, batch in zip(states, batches(dataset), strict=True):
        with jax.numpy_dtype_promotion("standard"):
            step(model, optimizer, *batch)
        assert_close((state.params, state.rest), (nnx.state(model, nnx.Param), nnx.state(model, nnx.BatchStat)))


class ResidualBlock(linen.Module):
    features: int
    strides: int

    @linen.compact
    def __call__(self, x: Any, train: bool) -> Any:
        norm = partial(linen.BatchNorm, use_running_average=not train, momentum=0.9)
        y = linen.Conv(self.features, (3, 3), self.strides, use_bias=False)(x)
        y = linen.Conv(self.features, (3, 3), use_bias=False)(linen.relu(norm()(y)))
        if x.shape != y.shape:
            x = linen.Conv(self.features, (1, 1), self.strides, use_bias=False)(x)
        return linen.relu(x + norm()(y))


class ResNet(linen.Module):
    stages: tuple[tuple[int, int], ...] = ((4, 2),)

    @linen.compact
    def __call__(self, x: Any, train: bool = True) -> Any:
        x = linen.max_pool(linen.relu(linen.Conv(4, (3, 3))(x)), (3, 3), (2, 2), "SAME")
        for features, strides in self.stages:
            x = ResidualBlock(features, strides)(x, train)
        return linen.Dense(10)(linen.Dropout(0.1, deterministic=not train)(x.mean(axis=(1, 2))))


def test_a_linen_resnet_trains_as_in_linen() -> None:
    dataset, model = random_data((8, 8, 3)), ResNet()
    states = trained(model, dataset, "adam")
    first = next(states)
    params, statistics = first.params, first.rest["batch_stats"]
    optimizer = optax.adam(RATE)
    optimizer_state = optimizer.init(params)

    @jax.jit
    def step(params: Any, statistics: Any, state: Any, inputs: jax.Array, targets: jax.Array, key: jax.Array) -> Any:
        def loss(params: Any) -> Any:
            both = {"params": params, "batch_stats": statistics}
            logits, new = model.apply(both, inputs, train=True, rngs={"dropout": key}, mutable=["batch_stats"])
            return mean_loss(logits, targets), new["batch_stats"]

        gradient, statistics = jax.grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), statistics, state

    for state, batch in zip(states, batches(dataset), strict=True):
        with jax.numpy_dtype_promotion("standard"):
            params, statistics, optimizer_state = step(params, statistics, optimizer_state, *batch)
        assert_close((state.params, state.rest), (params, {"batch_stats": statistics}))


def test_an_equinox_network_trains_as_in_equinox() -> None:
    dataset = random_data((6,))

    def init(key: jax.Array, inputs: Any) -> tuple[Any, Any]:
        return eqx.filter(eqx.nn.MLP(6, 10, 8, 1, key=key), eqx.is_inexact_array), {}

    model = eqx.filter_jit(lambda key: eqx.nn.MLP(6, 10, 8, 1, key=key))(NETWORK_KEY)
    static = eqx.partition(model, eqx.is_inexact_array)[1]

    def apply(params: Any, state: Any, inputs: jax.Array, *, train: bool, key: Any) -> tuple[jax.Array, Any]:
        return jax.vmap(eqx.combine(params, static))(inputs), state

    states = trained(from_functions(init, apply), dataset)
    optimizer = optax.sgd(RATE)
    optimizer_state = optimizer.init(eqx.filter(model, eqx.is_inexact_array))

    @eqx.filter_jit
    def step(model: Any, state: Any, inputs: jax.Array, targets: jax.Array) -> Any:
        gradient = eqx.filter_grad(lambda model: mean_loss(jax.vmap(model)(inputs), targets))(model)
        updates, state = optimizer.update(gradient, state)
        return eqx.apply_updates(model, updates), state

    assert_close(next(states).params, eqx.filter(model, eqx.is_inexact_array))
    for state, (inputs, targets, _) in zip(states, batches(dataset), strict=True):
        model, optimizer_state = step(model, optimizer_state, inputs, targets)
        assert_close(state.params, eqx.filter(model, eqx.is_inexact_array))


def linear_init(key: jax.Array, inputs: Any) -> tuple[Any, Any]:
    return {"kernel": jax.random.normal(key, (inputs.shape[-1], 10)), "bias": jnp.zeros(10)}, {"calls": jnp.int32(0)}


def linear(params: Any, state: Any, inputs: jax.Array, *, train: bool, key: Any) -> tuple[Any, Any]:
    return inputs @ params["kernel"] + params["bias"][None], {"calls": state["calls"] + train}


def with_scalars(params: Any, state: Any, inputs: jax.Array, *, train: bool, key: Any) -> tuple[Any, Any]:
    logits, state = linear(params, state, inputs, train=train, key=key)
    return {"logits": logits, "norm": jnp.sum(logits)}, state


INPUTS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)


def outputs_of(network: Any) -> jax.Array:
    """Of a fresh network, in evaluation."""
    pure = PureNetwork(network, (6,), 10)
    outputs: jax.Array = jax.jit(lambda: pure.outputs(*pure.init(NETWORK_KEY), jnp.asarray(INPUTS)))()
    return outputs


def test_a_part_of_the_output_is_taken() -> None:
    network = with_output(from_functions(linear_init, with_scalars), lambda outputs: outputs["logits"])
    np.testing.assert_array_equal(outputs_of(network), outputs_of(from_functions(linear_init, linear)))


def test_the_linen_module_in_a_bridge_to_nnx_is_taken() -> None:
    module = linen.Dense(10)
    bridge = nnx.bridge.ToNNX(module, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(
        outputs_of(bridge), jax.jit(lambda: module.init_with_output(NETWORK_KEY, INPUTS)[0])()
    )


COUNT = iter(range(100))
LEAKED: list[Any] = []


def leaking(params: Any, state: Any, inputs: jax.Array, *, train: bool, key: Any) -> tuple[Any, Any]:
    LEAKED.append(inputs)
    return LEAKED[0] @ params["kernel"], state


@pytest.mark.parametrize(
    ("init", "apply", "message"),
    [
        (linear_init, with_scalars, r"The network gives a dict; expected one array: take it out by .*with_output"),
        (
            linear_init,
            lambda *_, **__: jnp.zeros((1, 10)),
            "apply of the network gives a single array; expected a pair",
        ),
        (linear_init, lambda params, state, inputs: inputs, r"^from_functions\(linear_init, <lambda>\) does not take"),
        (lambda *_: {}, linear, r"init of the network gives a dict; expected a pair \(params, state\)"),
        (lambda *_: (jnp.zeros((6, 10), int), {}), linear, "has a parameter of type int32, which has no gradient"),
        (linear_init, lambda p, s, x, **_: (jnp.zeros_like(x) @ p["kernel"], s), "ignores its inputs"),
        (linear_init, lambda p, s, x, **_: (jnp.tile(x, (1, 2))[:, :10], s), "does not use its parameters"),
        (
            linear_init,
            lambda p, s, x, **_: (x @ p["kernel"] * float(next(COUNT)), s),
            "computes something else when it is called again: it is no pure function",
        ),
        (linear_init, leaking, "is no pure function: it keeps what it computes"),
        (linear_init, lambda p, s, x, **_: (x @ p["kernel"], {}), "changes the shape or dtype of its state"),
    ],
)
def test_functions_that_make_no_network_are_refused_in_one_line(
    init: Callable[..., Any], apply: Callable[..., Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        make_train(from_functions(init, apply), random_data((6,)), TrainingConfig(1, 4, 0.1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (with_output(linen.Dense(10), lambda outputs: outputs["logits"]), "^Dense does not take inputs"),
        (nnx.bridge.ToNNX(linen.Dense(3)), r"^ToNNX gives outputs of shape \(3,\)"),
        (linen.Dense, "^Got the class Dense; expected a module of Linen: call the class"),
    ],
)
def test_modules_of_linen_that_make_no_network_are_refused_in_one_line(network: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        make_train(network, random_data((6,)), TrainingConfig(1, 4, 0.1))
    assert "\n" not in str(caught.value)
