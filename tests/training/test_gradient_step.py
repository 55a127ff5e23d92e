from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from glojax.networks import SmallMLP
from glojax.training import TrainingConfig
from glojax.training.checks import decayed
from glojax.training.schedule import gradient_transformation, learning_rate_at

CONFIG = TrainingConfig(num_steps=100, batch_size=8, learning_rate=0.5)


@pytest.fixture(scope="module")
def params() -> Any:
    return jax.jit(lambda: nnx.state(SmallMLP(nnx.Rngs(0), input_shape=(3,), num_outputs=2), nnx.Param))()


def test_only_marked_parameters_decay(params: Any) -> None:
    marks = nnx.to_flat_state(decayed(params))
    assert [path for path, mark in marks if mark] == [("hidden1", "kernel"), ("hidden2", "kernel")]
    assert len(marks) == 6


def test_weight_decay_is_the_gradient_of_half_the_squared_norm(params: Any) -> None:
    optimizer = gradient_transformation(replace(CONFIG, weight_decay=0.01), 0.5)

    @jax.jit
    def stepped(params: Any) -> Any:
        updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params), params)
        return nnx.to_pure_dict(optax.apply_updates(params, updates))

    for layer, parameters in nnx.to_pure_dict(params).items():
        for name, before in parameters.items():
            slope = 0.01 * np.asarray(before) if name == "kernel" and layer != "output" else 0
            np.testing.assert_allclose(stepped(params)[layer][name], before - 0.5 * (1 + slope), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("rate", [0.5, 0.02])
def test_the_learning_rate_becomes_a_tenth_after_every_so_many_epochs(rate: float) -> None:
    config = replace(CONFIG, decay_every_epochs=2)
    rates = jax.vmap(lambda step: learning_rate_at(config, jnp.float32(rate), step, steps_per_epoch=3))(jnp.arange(20))
    np.testing.assert_allclose(rates, [rate * 0.1 ** (step // 6) for step in range(20)], rtol=1e-5)


def test_updates_are_bitwise_those_of_an_optimizer_with_a_schedule() -> None:
    config = replace(CONFIG, decay_every_epochs=2)
    gradients = jnp.float32(np.random.default_rng(0).normal(size=(20, 5)))

    @jax.jit
    def ours(learning_rate: jax.Array) -> jax.Array:
        def step(num_steps: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
            optimizer = gradient_transformation(config, learning_rate_at(config, learning_rate, num_steps, 3))
            return num_steps + 1, optimizer.update(gradient, optimizer.init(gradient))[0]

        return jax.lax.scan(step, jnp.int32(0), gradients)[1]

    @jax.jit
    def scheduled(learning_rate: jax.Array) -> jax.Array:
        optimizer = optax.sgd(optax.exponential_decay(learning_rate, min(2 * 3, 100), 0.1, staircase=True))

        def step(state: optax.OptState, gradient: jax.Array) -> tuple[optax.OptState, jax.Array]:
            update, state = optimizer.update(gradient, state)
            return state, update

        return jax.lax.scan(step, optimizer.init(gradients[0]), gradients)[1]

    np.testing.assert_array_equal(ours(jnp.float32(0.3)), scheduled(jnp.float32(0.3)))


def test_without_options_the_optimizer_is_plain_sgd_at_the_very_rate(params: Any) -> None:
    rate = jnp.float32(0.5)
    assert learning_rate_at(CONFIG, rate, jnp.int32(7), steps_per_epoch=3) is rate
    state = gradient_transformation(CONFIG, rate).init(params)
    assert str(jax.tree.structure(state)) == str(jax.tree.structure(optax.sgd(0.5).init(params)))


def test_a_decay_long_after_the_last_step_is_none() -> None:
    config = replace(CONFIG, decay_every_epochs=2**30)
    assert learning_rate_at(config, jnp.float32(0.5), jnp.int32(0), steps_per_epoch=2**20) == 0.5
