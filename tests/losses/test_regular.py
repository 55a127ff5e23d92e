"""Losses that are computed in fewer passes: which they are, and that they are the same losses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from glojax.expressions import LossTree
from glojax.losses import CATALOG, make_loss
from glojax.losses.compiled import compile_instructions
from glojax.losses.links import Linked
from glojax.losses.objective import objective
from glojax.losses.regular import regular
from glojax.losses.regular_softmax import RegularSoftmax
from glojax.losses.softmax import Softmax
from glojax.losses.stable import Instructions, stable

REGULAR = [
    *(
        "x * log(y)",
        "log(y) - x / y",
        "x / (3 * x * y^2)",
        "sqrt(x * y) * tanh(1 - y)",
        "-(x - y)^2",
        "1 - y^0.7",
        "y^-2",
    ),
    *("exp(x - y) * sin(y / 2)", "max(x - y, aq(y, 1 + x))", "x * (1 - y)^2 * log(y)"),
]


@pytest.mark.parametrize("text", REGULAR)
def test_a_slope_that_is_bounded_near_1_is_seen(text: str) -> None:
    assert regular(stable(LossTree.parse(text))) is not None


@pytest.mark.parametrize(
    "text",
    [
        *("log(1 - y)", "x / (1 - y)", "1 / (x - y)", "sqrt(1 - y)", "sqrt(x * (x - y))", "(1 - y)^0.7", "(x - y)^0.7"),
        *("log(1 - y^2)", "x / log(y)", "1 / (x * (1 - y))", "sqrt(log(y)^2)", "1 / tanh(1 - y)"),
    ],
)
def test_a_slope_that_may_be_infinite_near_1_is_seen(text: str) -> None:
    assert regular(stable(LossTree.parse(text))) is None


def test_nearly_all_published_losses_are_regular() -> None:
    others = {name for name, tree in CATALOG.items() if regular(stable(tree)) is None}
    assert others == {"binary_cross_entropy", "log_cosh", "barron"}


def test_a_regular_loss_is_the_same_in_both_forms() -> None:
    def both(form: Instructions, link: Linked) -> tuple[jax.Array, jax.Array]:
        function = compile_instructions(form)

        def loss(logits: jax.Array) -> jax.Array:
            compiled = lambda _, leaves: function(leaves)  # noqa: E731
            return objective(compiled, "sum", 1e-12, (), labels, logits, link=link)

        values, pull_back = jax.vjp(loss, logits)
        return values, pull_back(jnp.ones_like(values))[0]

    with jax.enable_x64(True):
        logits = jnp.float64([[0.5, -1.0, 2.0], [6.0, 0.0, 0.25], [0.0, 0.0, -4.0]])
        labels = jnp.float64([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]])
        forms = [stable(LossTree.parse(text)) for text in REGULAR]
        ours = jax.jit(lambda: [both(regular(form) or (), RegularSoftmax) for form in forms])()
        expected = jax.jit(lambda: [both(form, Softmax) for form in forms])()
    for mine, its in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-10)


def test_a_denominator_near_1_has_its_own_slope() -> None:
    gradient = jax.jit(jax.grad(make_loss("-x / y")))(np.array([30.0, 0.0], np.float32), 0)
    np.testing.assert_allclose(gradient, [-np.exp(-30), np.exp(-30)], rtol=1e-6)


@pytest.mark.parametrize("num_classes", [23, 49_999])
def test_any_number_of_classes_is_summed(num_classes: int) -> None:
    loss, gradient = jax.jit(jax.value_and_grad(make_loss("x * log(y)")))(np.zeros(num_classes, np.float32), 0)
    np.testing.assert_allclose(loss, np.log(num_classes), rtol=3e-7)
    np.testing.assert_allclose(np.asarray(gradient)[1:], 1 / num_classes, rtol=3e-7)


def test_a_loss_needs_no_more_memory_than_optax() -> None:
    def temporary_bytes(loss: object) -> int:
        assert callable(loss)
        function = jax.jit(jax.value_and_grad(lambda logits, labels: loss(logits, labels).mean()))
        shapes = [jax.ShapeDtypeStruct((16, 4000), jnp.float32)] * 2
        analysis: Any = function.lower(*shapes).compile().memory_analysis()
        return int(analysis.temp_size_in_bytes)

    theirs = temporary_bytes(optax.softmax_cross_entropy)
    for text in ("x * log(y)", "x * y", "log(y) - x / y"):
        assert temporary_bytes(make_loss(text)) <= theirs
