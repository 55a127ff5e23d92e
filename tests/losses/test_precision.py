"""Losses and gradients at both ends of the probabilities, against exact arithmetic."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from glojax import make_loss
from glojax.losses import find_tree
from tests.losses.exact import reference
from tests.losses.exporting import dual_in_jax

TOLERANCE = 1e-6
#: Below this, float32 has no normal numbers, and what is computed from y or 1 - y may be 0.
SMALLEST = 1e-37

LOSSES = [
    *("x * log(y)", "log(y) - x / y", "baikal_cma", "x * (1 - y)^2 * log(y)", "-(x - y)^2", "x * log(2 * y * sqrt(y))"),
    *("x * log(y) + (1 - x) * log(1 - y)", "sqrt(1 - y)", "x / (1 - y)", "-x * (1 - y^0.7) / 0.7"),
    "x * log(y) - 2 * x * (1 - y)",
]
GAPS = [-1e3, -120, -60, -17, -5, 0, 0.1, 5, 16.1, 17, 60, 80, 1e3]
#: So many examples of three classes are computed at once, so that each loss is compiled once.
NUM_ROWS = 2 * len(GAPS)


def rows_of(num_classes: int, gaps: list[float]) -> np.ndarray:
    """Logits [G, C] of which the first is ahead of the largest of the others by a gap."""
    others = np.resize(np.array([0.25, -1.5, 2.125], np.float32), num_classes - 1)
    return np.stack([np.concatenate([[others.max() + np.float32(gap)], others]) for gap in gaps]).astype(np.float32)


def computed(text: str, logits: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Losses and gradients; of three classes, those of up to `NUM_ROWS` examples."""
    missing = NUM_ROWS - len(logits) if logits.shape[1] == 3 else 0
    both = dual_in_jax(make_loss(text), np.pad(logits, [(0, missing), (0, 0)]), np.pad(labels, (0, missing)))
    return [np.asarray(each)[: len(logits)] for each in both]


def assert_exact(text: str, logits: np.ndarray, labels: list[int]) -> None:
    loss, each = make_loss(text), np.repeat(labels, len(logits)).astype(np.int32)
    logits = np.tile(logits, (len(labels), 1))
    for row, label, value, gradient in zip(logits.tolist(), each, *computed(text, logits, each), strict=True):
        one_hot = np.eye(1, len(row), label)[0].tolist()
        exact = reference(find_tree(text), one_hot, row, loss.prob_epsilon)
        assert_close(value, exact.loss, exact.loss_scale)
        for place in {0, 1, len(row) - 1}:
            assert_close(gradient[place], exact.gradient[place], exact.gradient_scale[place])


def assert_close(ours: Any, exact: Any, scale: Any) -> None:
    assert abs(float(ours) - exact) <= TOLERANCE * scale + SMALLEST, (ours, float(exact), float(scale))


@pytest.mark.parametrize("text", LOSSES)
def test_loss_and_gradient_are_exact_from_end_to_end(text: str) -> None:
    assert_exact(text, rows_of(3, GAPS), [0, 1])


@pytest.mark.parametrize("text", ["x * log(y)", "log(y) - x / y", "-(x - y)^2"])
@pytest.mark.parametrize("num_classes", [2, 50_000])
def test_loss_and_gradient_are_exact_with_few_classes_and_with_many(text: str, num_classes: int) -> None:
    assert_exact(text, rows_of(num_classes, [-40, 0, 17]), [0])


def test_logits_of_which_differences_are_rounded_are_exact() -> None:
    logits = np.random.default_rng(0).uniform(-40, 40, size=(20, 3)).astype(np.float32)
    for text in ("x * log(y)", "-x * (1 - y^0.7) / 0.7", "log(y) - x / y"):
        assert_exact(text, logits, [0])


def test_equal_logits_are_no_exception() -> None:
    logits = np.array([[0.0, 0.0, 0.0], [3.0, 3.0, -2.0], [-1e4, -1e4, -1e4]], np.float32)
    for text in ("x * log(y)", "x * log(y) + (1 - x) * log(1 - y)"):
        assert_exact(text, logits, [0])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_short_floats_are_computed_in_float32(dtype: Any) -> None:
    logits = (np.random.default_rng(0).normal(size=(20, 1000)) * 3).astype(dtype)
    labels = np.arange(20, dtype=np.int32)
    for text in ("x * log(y)", "log(y) - x / y"):
        ours, wide = (dual_in_jax(make_loss(text), each, labels) for each in (logits, logits.astype(np.float32)))
        for mine, exact in zip(ours, wide, strict=True):
            assert mine.dtype == dtype
            with np.errstate(over="ignore"):
                np.testing.assert_array_equal(mine, np.asarray(exact).astype(dtype))
        if text == "x * log(y)":
            theirs = jax.jit(optax.softmax_cross_entropy_with_integer_labels)(logits, labels)
            errors = [np.abs(np.float32(losses) - wide[0]).max() for losses in (ours[0], theirs)]
            assert errors[0] <= errors[1]


def test_a_network_that_is_certain_and_wrong_learns_again() -> None:
    logits, label = np.array([[0.0, 1e4, -3.0]], np.float32), np.array([0], np.int32)
    np.testing.assert_allclose(computed("x * log(y)", logits, label)[1], [[-1, 1, 0]])
    _, (bounded,) = computed("log(y) - x / y", logits, label)
    assert np.isfinite(bounded).all()
    assert bounded[0] < -1e6


@pytest.mark.parametrize("text", ["x * log(y)", "-(x - y)^2", "x * log(y) + (1 - x) * log(1 - y)"])
def test_a_class_that_is_impossible_counts_as_such(text: str) -> None:
    (value,), (gradient,) = computed(text, np.array([[1.0, -np.inf, 0.5]], np.float32), np.array([0], np.int32))
    expected = reference(find_tree(text), [1, 0], [1.0, 0.5], 0)
    np.testing.assert_allclose(value, float(expected.loss), rtol=1e-6)
    first, last = map(float, expected.gradient)
    np.testing.assert_allclose(gradient, [first, 0, last], rtol=1e-6)


def naive(text: str, logits: jax.Array, labels: jax.Array) -> jax.Array:
    """A loss as it is written down."""
    x, y = labels, jax.nn.softmax(logits)
    total: jax.Array = -jnp.sum(eval(text.replace("^", "**"), {"log": jnp.log, "sqrt": jnp.sqrt, "x": x, "y": y}))
    return total


SMOOTH = ["(1 - y)^2 * log(y) - x / y", "x * sqrt(y) - (x - y)^2", "x * log(y) + (1 - x) * log(1 - y)"]


@pytest.mark.parametrize("text", SMOOTH)
def test_second_derivatives_are_those_of_the_formula(text: str) -> None:
    with jax.enable_x64(True):
        labels = jnp.float64([0.7, 0.2, 0.1])
        # At the labels themselves, many losses have their minimum.
        points = jnp.stack(
            [jnp.float64([0.5, -1.0, 0.25]), jnp.zeros(3), jnp.float64([4.0, 0.0, 1.0]), jnp.log(labels)]
        )
        loss = make_loss(text)

        @jax.jit
        @jax.vmap
        def hessians(point: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
            backwards_twice = jax.jacrev(jax.grad(lambda logits: loss(logits, labels)))(point)
            forwards_last = jax.hessian(lambda logits: loss(logits, labels))(point)
            return jax.hessian(lambda logits: naive(text, logits, labels))(point), forwards_last, backwards_twice

        expected, *ours = hessians(points)
        for mine in ours:
            np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("text", SMOOTH)
def test_the_gradient_in_soft_labels_is_that_of_the_formula(text: str) -> None:
    with jax.enable_x64(True):
        logits, labels = jnp.float64([0.5, -1.0, 2.5]), jnp.float64([0.7, 0.2, 0.1])

        def derivatives(loss: Callable[[jax.Array, jax.Array], jax.Array]) -> Any:
            gradient, mixed = jax.grad(loss, argnums=1), jax.jacfwd(jax.grad(loss), argnums=1)
            return jax.jit(lambda logits, labels: (gradient(logits, labels), mixed(logits, labels)))(logits, labels)

        for ours, expected in zip(derivatives(make_loss(text)), derivatives(partial(naive, text)), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)
