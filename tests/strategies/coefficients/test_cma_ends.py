"""The reasons for which the evolution strategy ends, and the scale of its covariance matrix."""

import math
from typing import Any

import numpy as np
import pytest

from glojax.strategies.coefficients import CmaEs, TuningConfig
from tests.strategies.coefficients.generations import CONFIG, distribution, slope, tell_generations, with_state


def test_ends_after_five_failed_generations_in_a_row() -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=0)
    for _ in range(4):
        strategy.tell([math.nan] * 6)
    strategy.tell([math.nan] * 5 + [0.0])
    for _ in range(4):
        assert strategy.stop_reason is None
        strategy.tell([math.nan] * 6)
    assert strategy.stop_reason is None
    strategy.tell([math.nan] * 6)
    assert strategy.stop_reason == "failure: no member of 5 generations in a row has a fitness"


def test_ends_after_the_given_generations() -> None:
    strategy = CmaEs([3.0, 3.0], TuningConfig(generations=3), seed=0)
    for _ in range(3):
        assert strategy.stop_reason is None
        tell_generations(strategy, 1)
    assert strategy.stop_reason == "generations: 3"


def test_ends_when_no_member_has_been_better_for_as_long_as_patience_lasts() -> None:
    strategy = CmaEs([3.0, 3.0], TuningConfig(generations=100, patience=3), seed=0)
    for value in (0.0, 1.0, 1.0, 0.5, 2.0, 1.5, math.nan, 2.0):
        assert strategy.stop_reason is None
        strategy.tell([value] * 6)
    assert strategy.stop_reason == "stagnation: no better member in 3 generations"


@pytest.mark.parametrize(("K", "patience"), [(1, 18), (2, 20), (6, 30)])
def test_patience_is_by_default_longer_for_more_coefficients(K: int, patience: int) -> None:
    strategy = CmaEs([3.0] * K, TuningConfig(generations=100), seed=0)
    tell_generations(strategy, patience, lambda members: np.zeros(len(members)))
    assert strategy.stop_reason is None
    tell_generations(strategy, 1, lambda members: np.zeros(len(members)))
    assert strategy.stop_reason == f"stagnation: no better member in {patience} generations"


def test_ends_when_the_largest_step_has_become_tiny() -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=0)
    while strategy.stop_reason is None:
        tell_generations(strategy, 1)
    step = strategy.sigma * math.sqrt(np.linalg.eigvalsh(distribution(strategy)["C"])[-1]) / 1.5
    assert step < 1e-11
    assert strategy.stop_reason == f"convergence: the largest step is {step:.3g} times the initial one"


def test_ends_when_the_largest_step_has_become_huge() -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=0)
    while strategy.stop_reason is None:
        tell_generations(strategy, 1, slope)
    step = strategy.sigma * math.sqrt(np.linalg.eigvalsh(distribution(strategy)["C"])[-1]) / 1.5
    assert step > 1e4
    assert strategy.stop_reason == f"divergence: the largest step is {step:.3g} times the initial one"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"C": np.eye(2), "std": 1.5e4}, None),
        ({"C": np.eye(2), "std": 1.6e4}, "divergence: the largest step is 1.07e+04 times the initial one"),
        ({"C": np.diag([1.0, 4e8]), "std": 1.5}, "divergence: the largest step is 2e+04 times the initial one"),
        ({"std": math.nan}, "divergence: the largest step is nan times the initial one"),
        ({"C": np.full((2, 2), math.nan)}, "divergence: the largest step is inf times the initial one"),
        ({"C": np.eye(2), "std": 1.6e-11}, None),
        ({"C": np.eye(2), "std": 1.2e-11}, "convergence: the largest step is 8e-12 times the initial one"),
        ({"C": np.diag([1.0, 1e-22]), "std": 1.2e-11}, "convergence: the largest step is 8e-12 times the initial one"),
        ({"C": np.diag([1.0, 2e-14])}, None),
        ({"C": np.diag([1.0, 5e-15])}, "condition: the covariance matrix has condition number 2e+14"),
        ({"C": np.diag([1.0, 0.0])}, "condition: the covariance matrix has condition number inf"),
    ],
)
def test_limits_of_the_distribution(changes: dict[str, Any], reason: str | None) -> None:
    assert with_state(CONFIG, **changes).stop_reason == reason


@pytest.mark.parametrize(("exponent", "tolerance"), [(10, 1e-7), (-8, 2e-3)])
def test_the_scale_of_the_covariance_moves_to_the_step_size(exponent: int, tolerance: float) -> None:
    # evosax adds 1e-8 to variances, before it moves, of 1e6 or 1.5e-5: hence the tolerances.
    covariance, path, factor = np.array([[1.0, 0.3], [0.3, 0.8]]), np.array([0.5, -1.0]), 2.0**exponent
    plain = with_state(CONFIG, C=covariance, p_c=path, std=1.0)
    scaled = with_state(CONFIG, C=covariance * factor**2, p_c=path * factor, std=1 / factor)
    for strategy in (plain, scaled):
        tell_generations(strategy, 1)
    for name, expected in distribution(plain).items():
        np.testing.assert_allclose(distribution(scaled)[name], expected, rtol=tolerance, err_msg=name)


@pytest.mark.parametrize("covariance", [np.zeros((2, 2)), np.full((2, 2), math.nan), np.diag([1.0, -1.0])])
def test_the_condition_number_of_a_degenerate_matrix_is_infinite(covariance: np.ndarray) -> None:
    assert with_state(CONFIG, C=covariance).condition_number == math.inf


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "failure: no member of 5 generations in a row has a fitness"),
        (1.0, "stagnation: no better member in 5 generations"),
        (2.0, None),
    ],
)
def test_failures_count_as_generations_without_a_better_member(value: float, reason: str | None) -> None:
    strategy = CmaEs([3.0, 3.0], TuningConfig(generations=100, patience=5), seed=0)
    strategy.tell([1.0] * 6)
    for _ in range(4):
        strategy.tell([math.nan] * 6)
    assert strategy.stop_reason is None
    strategy.tell([value] * 6)
    assert strategy.stop_reason == reason
