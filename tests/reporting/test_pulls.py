"""Loss and pull of one example, against the loss that is exported to NumPy and its differences in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from glojax.losses import CATALOG, Loss, find_tree
from glojax.losses.objective import DEFAULT_PROB_EPSILON
from glojax.reporting.pulls import effect, of_classes

STEP = 1e-5


def exported(name: str) -> Callable[[Any, int], float]:
    names: dict[str, Any] = {}
    exec(Loss(CATALOG[name]).to_python("python"), names)
    function: Callable[[Any, int], float] = names["loss"]
    return function


@pytest.mark.parametrize("name", ["cross_entropy", "baikal", "focal", "label_smoothing", "next_generation"])
@pytest.mark.parametrize("num_classes", [2, 3, 10])
def test_loss_and_pull_are_those_of_the_logits(name: str, num_classes: int) -> None:
    function = exported(name)
    for true, most_wrong in ((0.05, 0.9), (0.3, 0.5), (0.9, 0.02)):
        wrong = most_wrong if num_classes > 2 else 1 - true
        rest = (1 - true - wrong) / max(num_classes - 2, 1)
        logits = np.log(np.array([true, wrong, *[rest] * (num_classes - 2)]))
        loss, pull = of_classes(CATALOG[name], np.array([true]), np.array([wrong]), num_classes, DEFAULT_PROB_EPSILON)
        moved = [function(logits + sign * STEP * np.eye(num_classes)[0], 0) for sign in (1, -1)]
        np.testing.assert_allclose(loss[0], function(logits, 0), rtol=1e-9)
        np.testing.assert_allclose(pull[0], -(moved[0] - moved[1]) / (2 * STEP), rtol=1e-5, atol=1e-8)


def test_the_other_classes_share_what_is_left() -> None:
    found = effect(CATALOG["baikal"], "softmax", 5, DEFAULT_PROB_EPSILON)
    true = found.points[60]
    logits = np.log(np.array([true, *[(1 - true) / 4] * 4]))
    np.testing.assert_allclose(found.loss[60], exported("baikal")(logits, 0), rtol=1e-9)


def test_a_label_that_excludes_no_other() -> None:
    found = effect(find_tree("binary_cross_entropy"), "sigmoid", 2, DEFAULT_PROB_EPSILON)
    np.testing.assert_allclose(found.loss, -np.log(found.points), rtol=1e-9)
    np.testing.assert_allclose(found.pull, 1 - found.points, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "loss", "pull"),
    [
        ("squared_error", lambda error: error**2, lambda error: -2 * error),
        ("huber", lambda e: np.where(abs(e) < 1, e**2 / 2, abs(e) - 0.5), lambda e: -np.clip(e, -1, 1)),
        ("log_cosh", lambda error: np.log(np.cosh(error)), lambda error: -np.tanh(error)),
    ],
)
def test_a_number_whose_target_is_1(name: str, loss: Callable[[Any], Any], pull: Callable[[Any], Any]) -> None:
    found = effect(find_tree(name, "real"), "identity", 1, DEFAULT_PROB_EPSILON)
    np.testing.assert_allclose(found.loss, loss(found.points - 1), rtol=1e-9, atol=1e-9)
    inner = abs(abs(found.points - 1) - 1) > 0.01  # the slope of huber has a kink there
    np.testing.assert_allclose(found.pull[inner], pull(found.points - 1)[inner], rtol=1e-6, atol=1e-6)


def test_losses_that_differ_in_scale_alone_are_drawn_alike() -> None:
    one, other = (
        effect(find_tree(text), "softmax", 10, DEFAULT_PROB_EPSILON).scaled(0.1)
        for text in ("x * log(y)", "3 * x * log(y) + 2")
    )
    np.testing.assert_allclose(other.loss, one.loss, atol=1e-9)
    np.testing.assert_allclose(other.pull, one.pull, atol=1e-9)
    assert np.interp(0.1, one.points, one.pull) == pytest.approx(1)


@pytest.mark.parametrize("text", ["x + 1", "log(x)", "y / (x - x)"])
def test_a_loss_that_is_nowhere_finite_or_does_not_pull_has_curves(text: str) -> None:
    found = effect(find_tree(text), "softmax", 10, DEFAULT_PROB_EPSILON).scaled(0.1)
    assert found.loss.shape == found.pull.shape == found.points.shape
