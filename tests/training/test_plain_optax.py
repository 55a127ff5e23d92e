"""Optimizers of optax, against the same written in plain optax: parameters after fifty steps."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from glojax.losses import LossProgram, find_tree
from glojax.networks import from_functions
from glojax.training import TrainingConfig, TrainState, make_train
from tests.training.plain_loops import NETWORK_KEY, RATE, assert_close, mean_loss, random_data


def schedule(rate: Any) -> optax.GradientTransformation:
    return optax.sgd(optax.cosine_decay_schedule(rate, 50), momentum=0.9)


OPTIMIZERS: dict[str, Callable[[Any], optax.GradientTransformation]] = {
    "adam": optax.adam,
    "adamw": optax.adamw,
    "momentum": partial(optax.sgd, momentum=0.9),
    "cosine schedule": schedule,
    "clipping": lambda rate: optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(rate)),
}


def each_its_own(rate: Any) -> optax.GradientTransformation:
    """A layer for each optimizer, as they are compiled faster together."""

    def labels(params: Any) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, _: path[0].key if path[0].key in OPTIMIZERS else "adam", params
        )

    return optax.partition({name: of_rate(rate) for name, of_rate in OPTIMIZERS.items()}, labels)


def layers_init(key: jax.Array, inputs: Any) -> tuple[Any, Any]:
    keys = jax.random.split(key, len(OPTIMIZERS))
    shape = (inputs.shape[-1], 10)
    return {
        name: {"kernel": jax.random.normal(one, shape), "bias": jnp.zeros(10)}
        for name, one in zip(OPTIMIZERS, keys, strict=True)
    }, {"calls": 0}


def layers(params: Any, state: Any, inputs: jax.Array, *, train: bool, key: Any) -> tuple[Any, Any]:
    """The sum of linear layers, and the number of calls in training."""
    logits = sum(inputs @ layer["kernel"] + layer["bias"][None] for layer in params.values())
    return logits, {"calls": state["calls"] + train}


@pytest.fixture(scope="module")
def fifty_steps() -> tuple[TrainState, Any]:
    """Two candidates of which the second has twice the rate, and what plain optax makes of both."""
    dataset = random_data((6,))
    config = TrainingConfig(50, 16, RATE, optimizer=each_its_own)
    train = make_train(from_functions(layers_init, layers), dataset, config)
    programs = LossProgram.from_trees([find_tree("cross_entropy")] * 2, 8)
    rates, key = np.array([RATE, 2 * RATE], np.float32), jax.random.key(3)

    @jax.jit
    def ours(train: Any) -> TrainState:
        both = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), train.begin(key))
        state: TrainState = train.advance(both, programs, key, jnp.asarray(rates), 0, 50)
        return state

    @jax.jit
    def theirs(rate: jax.Array) -> Any:
        optimizer = each_its_own(rate)

        def step(_: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
            def loss(params: Any) -> jax.Array:
                logits = sum(dataset.train.inputs @ layer["kernel"] + layer["bias"] for layer in params.values())
                return mean_loss(jnp.asarray(logits), jnp.asarray(dataset.train.targets))

            updates, state = optimizer.update(jax.grad(loss)(now[0]), now[1], now[0])
            return optax.apply_updates(now[0], updates), state

        params = layers_init(NETWORK_KEY, dataset.train.inputs)[0]
        return jax.lax.fori_loop(0, 50, step, (params, optimizer.init(params)))[0]

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return ours(train), jax.tree.map(lambda *leaves: np.stack(leaves), *(theirs(rate) for rate in rates))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_after_fifty_steps_are_those_of_plain_optax(name: str, fifty_steps: Any) -> None:
    both, expected = fifty_steps
    assert_close(both.params[name], expected[name])
    np.testing.assert_array_equal(both.rest["calls"], 50)
