from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from glojax.networks import SmallCNN
from glojax.training import TrainingConfig
from glojax.training.optimizer import decayed, make_optimizer

CONFIG = TrainingConfig(num_steps=100, batch_size=8, learning_rate=0.5)


@pytest.fixture(scope="module")
def params() -> Any:
    return nnx.state(SmallCNN(nnx.Rngs(0), image_shape=(3, 5, 1), num_classes=2), nnx.Param)


def test_only_marked_parameters_decay(params: Any) -> None:
    marks = nnx.to_flat_state(decayed(params))
    assert [path for path, mark in marks if mark] == [("hidden", "kernel")]
    assert len(marks) == 8


def test_weight_decay_is_the_gradient_of_half_the_squared_norm(params: Any) -> None:
    optimizer = make_optimizer(replace(CONFIG, weight_decay=0.01), 0.5, steps_per_epoch=3)
    gradient = jax.tree.map(jnp.ones_like, params)
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    stepped = nnx.to_pure_dict(optax.apply_updates(params, updates))
    plain = nnx.to_pure_dict(jax.tree.map(lambda parameter: parameter - 0.5, params))
    kernel = params["hidden"]["kernel"][...]
    penalty = jax.grad(lambda kernel: 0.5 * 0.01 * (kernel**2).sum())(kernel)
    plain["hidden"]["kernel"] -= 0.5 * penalty
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7), stepped, plain)


@pytest.mark.parametrize("rate", [0.5, 0.02])
def test_the_learning_rate_becomes_a_tenth_after_every_so_many_epochs(rate: float) -> None:
    config = replace(CONFIG, decay_every_epochs=2)

    @jax.jit
    def rates(learning_rate: jax.Array) -> jax.Array:
        """Of steps 0 to 19, which move a parameter of gradient 1."""
        optimizer = make_optimizer(config, learning_rate, steps_per_epoch=3)

        def step(state: optax.OptState, _: None) -> tuple[optax.OptState, jax.Array]:
            update, state = optimizer.update(jnp.float32(1), state)
            return state, -update

        return jax.lax.scan(step, optimizer.init(jnp.float32(0)), length=20)[1]

    expected = [rate * 0.1 ** (step // 6) for step in range(20)]
    np.testing.assert_allclose(rates(jnp.float32(rate)), expected, rtol=1e-5)


def test_without_options_the_optimizer_is_plain_sgd(params: Any) -> None:
    state = make_optimizer(CONFIG, 0.5, steps_per_epoch=3).init(params)
    assert str(jax.tree.structure(state)) == str(jax.tree.structure(optax.sgd(0.5).init(params)))


def test_a_decay_long_after_the_last_step_is_none() -> None:
    optimizer = make_optimizer(replace(CONFIG, decay_every_epochs=2**30), 0.5, steps_per_epoch=2**20)
    update, _ = optimizer.update(jnp.float32(1), optimizer.init(jnp.float32(0)))
    assert update == -0.5
