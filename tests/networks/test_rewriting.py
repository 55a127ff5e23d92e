import logging
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from glojax.networks.ops.pooling import max_pool
from glojax.networks.ops.rewriting import rewritten

RULES = {"sin": lambda x, **_: x + 100}
X = np.array([1, 2, 3], np.float32)


def scan(x: jax.Array) -> jax.Array:
    """Two constants, a carry and a sequence."""
    last, ys = lax.scan(lambda carry, y: (jnp.sin(carry) + x, carry * y), x, x, reverse=True)
    return last + ys.sum()


@jax.custom_vjp
def with_derivative(x: jax.Array) -> jax.Array:
    return jnp.sin(x)


with_derivative.defvjp(lambda x: (jnp.sin(x), x), lambda x, cotangent: (cotangent,))

#: Functions, and what they are where sin(x) is x + 100.
FUNCTIONS: dict[str, tuple[Callable[[jax.Array], jax.Array], Any]] = {
    "alone": (lambda x: jnp.sin(x) * 2, (X + 100) * 2),
    "jit": (jax.jit(lambda x: jnp.sin(x) * 2), (X + 100) * 2),
    "checkpoint": (jax.checkpoint(lambda x: jnp.sin(x) * 2), (X + 100) * 2),
    "branch": (lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), X + 100),
    "vmap": (jax.vmap(jnp.sin), X + 100),
    "custom_jvp": (lambda x: jax.nn.relu(jnp.sin(x)), X + 100),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_operation_is_computed_by_its_rule_wherever_it_is(name: str) -> None:
    function, expected = FUNCTIONS[name]
    np.testing.assert_array_equal(jax.jit(rewritten(function, RULES))(X), expected)
    gradient = jax.jit(jax.grad(lambda x: rewritten(function, RULES)(x).sum()))(X)
    np.testing.assert_array_equal(gradient, [expected[0] / (X[0] + 100)] * 3)


def test_an_operation_in_a_scan_is_computed_by_its_rule() -> None:
    carry, ys = X, []
    for y in X[::-1]:
        ys.append(carry * y)
        carry = carry + 100 + X
    np.testing.assert_array_equal(jax.jit(rewritten(scan, RULES))(X), carry + np.sum(ys))


def test_a_function_without_the_operation_is_called_as_it_is() -> None:
    calls: list[Any] = []

    def function(x: jax.Array) -> jax.Array:
        calls.append(x)
        return jnp.cos(x)

    assert rewritten(function, RULES)(X).shape == (3,)
    assert calls[-1] is X


def test_pytrees_and_keys_come_and_go() -> None:
    def function(state: dict[str, jax.Array], key: jax.Array) -> Any:
        return {"a": jnp.sin(state["a"])}, jax.random.split(key)[0], None

    results, key, nothing = rewritten(function, RULES)({"a": X}, jax.random.key(0))
    np.testing.assert_array_equal(results["a"], X + 100)
    assert key == jax.random.split(jax.random.key(0))[0]
    assert nothing is None


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda x: lax.while_loop(lambda x: x[0] < 1, jnp.sin, x), "while"),
        (with_derivative, "custom_vjp_call"),
    ],
)
def test_an_operation_that_stays_as_it_is_is_named_once(
    function: Callable[[jax.Array], jax.Array], operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    def network(x: jax.Array) -> jax.Array:
        with jax.named_scope("SecondLayer"):
            return function(x)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            np.testing.assert_array_equal(rewritten(network, RULES)(X), function(jnp.asarray(X)))
    (message,) = caplog.messages
    assert message.startswith(f"{operation} of SecondLayer stays as it is, which may be slow in a training: ")
    assert "test_rewriting.py" in message


def test_the_caller_of_a_layer_of_flax_is_named(caplog: pytest.LogCaptureFixture) -> None:
    layer = nnx.Conv(1, 1, (3,), rngs=nnx.Rngs(0))

    def network(x: jax.Array) -> jax.Array:
        return layer(x) * 2

    rewritten(network, {"conv_general_dilated": lambda *_, **__: None})(jnp.ones((1, 3, 1)))
    (message,) = caplog.messages
    assert message.startswith("conv_general_dilated stays as it is")
    assert message.endswith("(test_the_caller_of_a_layer_of_flax_is_named.<locals>.network).")


def test_what_a_rule_does_not_compute_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    np.testing.assert_array_equal(rewritten(jnp.sin, {"sin": lambda x, **_: None})(X), jnp.sin(X))
    assert "sin stays as it is" in caplog.text


def test_the_fast_operations_themselves_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    images = jnp.ones((1, 2, 2, 1))
    assert rewritten(lambda x: max_pool(x) + jnp.sin(x[:, :1, :1]), RULES | {"max": lambda *_: 0})(images) == 102
    assert not caplog.messages
