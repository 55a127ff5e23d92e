"""Integer labels: no one-hot array, and the same losses."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import softmax

from glojax.expressions import LossTree
from glojax.losses import CATALOG, Loss, make_loss
from glojax.losses.label_objective import ZERO, for_other_classes
from glojax.losses.stable import Instructions, stable
from tests.derivatives import loss_gradient
from tests.losses.exporting import dual_in_jax
from tests.oracle import evaluate

OF_LABEL_ALONE = [
    *("x * log(y)", "x * y", "-x / y", "x * (1 - y)^2 * log(y)", "-x * (1 - y^0.7) / 0.7", "x - x * y^2"),
    *("sqrt(x * y) * tanh(1 - y)", "x * log(2 * y * sqrt(y)) - 2 * x * (1 - y)", "max(x, x * y) * y^-2 * 1000"),
]
OF_ALL_CLASSES = [
    *("log(y) - x / y", "-(x - y)^2", "(0.9 * x + 0.01) * log(y)", "exp(x * y)", "x * log(y) - 0.1 * y * log(y)"),
    *("max(x - y, y) - sqrt(x * y)", "(1 + x) * cos(y)"),
]
LOGITS = np.array([[0.5, -1.0, 2.0], [6.0, 0.0, 0.25], [0.0, 0.0, -4.0], [0.3, 40.0, 0.25]])
LABELS = np.array([2, 0, 1, 0])


def for_zero(tree: LossTree) -> Instructions | None:
    return for_other_classes(stable(tree))


@pytest.mark.parametrize("text", OF_LABEL_ALONE)
def test_a_loss_of_the_label_alone_is_seen(text: str) -> None:
    assert for_zero(LossTree.parse(text)) == ZERO


@pytest.mark.parametrize("text", ["x * log(x * y)", "x * (x / (x * y))", "x * (x * y)^-1", "x / (0 * y)"])
def test_a_loss_that_is_undefined_for_other_classes_is_seen(text: str) -> None:
    assert for_zero(LossTree.parse(text)) is None
    assert np.isnan(jax.jit(make_loss(text))(np.zeros(3, np.float32), np.eye(3)[0]))


def test_most_published_losses_are_of_the_label_alone() -> None:
    assert {name for name, tree in CATALOG.items() if for_zero(tree) == ZERO} == {
        *("cross_entropy", "focal", "poly1", "generalized_cross_entropy", "symmetric_cross_entropy"),
        *("mean_absolute_error", "taylor_cross_entropy"),
    }


def test_integer_labels_have_the_losses_and_gradients_of_one_hot_ones() -> None:
    trees = [LossTree.parse(text) for text in OF_LABEL_ALONE + OF_ALL_CLASSES]
    losses, one_hot = [Loss(tree, prob_epsilon=0.0) for tree in trees], np.eye(3)[LABELS]
    with jax.enable_x64(True):
        ours = jax.jit(lambda logits, labels: [dual_in_jax(loss, logits, labels) for loss in losses])(LOGITS, LABELS)
    for (values, gradient), tree in zip(ours, trees, strict=True):
        expected = -evaluate(tree, one_hot, softmax(LOGITS, axis=-1)).sum(axis=-1)
        np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(
            gradient, loss_gradient(tree, one_hot, LOGITS), rtol=1e-10, atol=1e-14, err_msg=str(tree)
        )


def test_second_derivatives_are_those_of_the_formula() -> None:
    """Of a log(y), -(diag(y) - y y'); of y_l, y_l (d d' - diag(y) + y y') with d = e_l - y."""
    with jax.enable_x64(True):

        @jax.jit
        @jax.vmap
        def hessians(logits: jax.Array, label: jax.Array) -> list[jax.Array]:
            gradients = [jax.grad(make_loss(text)) for text in ("x * log(y)", "x * y", "log(y) - x * y")]
            return [mode(each)(logits, label) for each in gradients for mode in (jax.jacrev, jax.jacfwd)]

        ours = [np.asarray(each) for each in hessians(jnp.asarray(LOGITS), LABELS)]
    for row, (logits, label) in enumerate(zip(LOGITS, LABELS, strict=True)):
        y = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        spread, lead = np.diag(y) - np.outer(y, y), np.eye(3)[label] - y
        of_label = y[label] * (np.outer(lead, lead) - spread)
        expected = np.repeat([spread, -of_label, 3 * spread + of_label], 2, axis=0)
        np.testing.assert_allclose([each[row] for each in ours], expected, rtol=1e-10, atol=1e-14)


def test_a_loss_of_integers_needs_no_more_memory_than_optax() -> None:
    def temporary_bytes(loss: Any) -> int:
        function = jax.jit(jax.value_and_grad(lambda logits, labels: loss(logits, labels).mean()))
        shapes = jax.ShapeDtypeStruct((16, 4000), jnp.float32), jax.ShapeDtypeStruct((16,), jnp.int32)
        analysis: Any = function.lower(*shapes).compile().memory_analysis()
        return int(analysis.temp_size_in_bytes)

    theirs = temporary_bytes(optax.softmax_cross_entropy_with_integer_labels)
    assert theirs < 4000 * 4
    for text in ("x * log(y)", "x * y", "x * (1 - y)^2 * log(y)"):
        assert temporary_bytes(make_loss(text)) <= theirs
    assert temporary_bytes(make_loss("baikal")) < 16 * 4000 * 4 / 2


def test_axis_weights_and_classes_are_those_of_one_hot_labels() -> None:
    loss, logits, one_hot = make_loss("x * y", class_reduction="mean"), LOGITS.astype(np.float32), np.eye(3)[LABELS]
    choices: list[dict[str, Any]] = [
        {},
        {"weights": np.array([1.0, 2.0, 0.5])},
        {"where": np.array([True, False, True])},
    ]

    @jax.jit
    def all_of(logits: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
        both = [(loss(logits, LABELS, **options), loss(logits, one_hot, **options)) for options in choices]
        return [*both, (loss(logits.T, LABELS, axis=0), both[0][1])]

    for ours, expected in all_of(logits):
        np.testing.assert_allclose(ours, expected, rtol=1e-6)
