import numpy as np
import pytest

from glojax.expressions import LossTree
from glojax.losses import find_tree
from glojax.reporting import LossCurve, binary_loss_curve
from glojax.reporting.curves import scaled


def curve(name_or_text: str, num_points: int = 999) -> LossCurve:
    return binary_loss_curve(find_tree(name_or_text), num_points)


def test_probabilities_are_evenly_spaced_within_0_and_1() -> None:
    np.testing.assert_allclose(curve("baikal", num_points=3).points, [0.25, 0.5, 0.75])


def test_cross_entropy_is_the_formula() -> None:
    probs, loss = curve("cross_entropy")
    np.testing.assert_allclose(loss, -np.log(probs), rtol=1e-4)


def test_baikal_is_the_formula() -> None:
    probs, loss = curve("baikal")
    np.testing.assert_allclose(loss, 1 / probs - np.log(probs) - np.log(1 - probs), rtol=1e-4)


def test_coefficients_count() -> None:
    probs, loss = curve("baikal_cma")
    c = find_tree("baikal_cma").coefficients
    scale = c[3] * c[4] / c[5]
    expected = -c[0] * (c[1] * (np.log(c[2] * probs) + np.log(c[2] * (1 - probs))) - scale / probs)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_cross_entropy_is_least_at_certainty() -> None:
    assert curve("cross_entropy").minimum == curve("cross_entropy").points[-1]


@pytest.mark.parametrize(("name", "minimum"), [("baikal", 0.7071), ("baikal_cma", 0.7719)])
def test_baikal_is_least_short_of_certainty(name: str, minimum: float) -> None:
    assert curve(name).minimum == pytest.approx(minimum, abs=1e-3)


def test_a_loss_that_is_nowhere_finite_has_no_minimum() -> None:
    nowhere = curve("x * log(y - 2)")
    assert not np.isfinite(nowhere.loss).any()
    assert np.isnan(nowhere.minimum)


def test_points_that_are_not_finite_are_no_minimum() -> None:
    probs = np.array([0.2, 0.4, 0.6, 0.8])
    assert LossCurve(probs, np.array([-np.inf, np.nan, 3.0, 5.0])).minimum == 0.6


@pytest.mark.parametrize("name", ["baikal", "cross_entropy", "-(x / y^2)"])
def test_a_scaled_curve_runs_from_0_to_1(name: str) -> None:
    values = scaled(curve(name))
    assert (values.min(), values.max()) == (0, 1)


def test_scaling_leaves_out_what_is_not_finite() -> None:
    values = scaled(LossCurve(np.array([0.2, 0.4, 0.6, 0.8]), np.array([np.inf, 2.0, 6.0, 4.0])))
    np.testing.assert_array_equal(values, [np.inf, 0, 1, 0.5])


@pytest.mark.parametrize("loss", [np.full(3, np.nan), np.full(3, 2.0)])
def test_what_has_no_range_has_no_scale(loss: np.ndarray) -> None:
    assert np.isnan(scaled(LossCurve(np.array([0.25, 0.5, 0.75]), loss))).all()


def test_a_loss_may_ignore_its_arguments() -> None:
    np.testing.assert_array_equal(binary_loss_curve(LossTree.constant(2), 3).loss, [-4, -4, -4])
