"""When the evolution strategy ends, and that it goes on after a restart as if nothing had happened."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from glojax.coefficients import CmaEs, TuningConfig

from tests.strategies.coefficients.generations import (
    CONFIG,
    DISTRIBUTION,
    assert_same,
    best_of,
    slope,
    sphere,
    tell_generations,
    with_state,
)


def test_ends_after_five_failed_generations_in_a_row() -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=0)
    for _ in range(4):
        strategy.tell([math.nan] * 6)
    assert strategy.best is None
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
    fitness = [0.0, 1.0, 1.0, 0.5, 2.0, 1.5, 1.5, 2.0]
    for value in fitness:
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
    step = strategy.sigma * math.sqrt(np.linalg.eigvalsh(strategy.save()["C"])[-1]) / 1.5
    assert step < 1e-11
    assert strategy.stop_reason == f"convergence: the largest step is {step:.3g} times the initial one"


def test_ends_when_the_largest_step_has_become_huge() -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=0)
    while strategy.stop_reason is None:
        tell_generations(strategy, 1, slope)
    step = strategy.sigma * math.sqrt(np.linalg.eigvalsh(strategy.save()["C"])[-1]) / 1.5
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
    for name in DISTRIBUTION:
        np.testing.assert_allclose(scaled.save()[name], plain.save()[name], rtol=tolerance, err_msg=name)


@pytest.mark.parametrize("covariance", [np.zeros((2, 2)), np.full((2, 2), math.nan), np.diag([1.0, -1.0])])
def test_the_condition_number_of_a_degenerate_matrix_is_infinite(covariance: np.ndarray) -> None:
    assert with_state(CONFIG, C=covariance).condition_number == math.inf


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("generations", [0, 1, 7])
@pytest.mark.parametrize("active", [False, True])
def test_a_saved_strategy_goes_on_to_the_last_bit(active: bool, generations: int, asked: bool, tmp_path: Path) -> None:
    def partly_failed(members: np.ndarray) -> np.ndarray:
        return np.where(members[:, 0] < 2, sphere(members), math.nan)

    config = TuningConfig(generations=generations + 6, active_weights=active)
    strategy = CmaEs([3.0, 2.0], config, seed=9)
    tell_generations(strategy, generations, partly_failed)
    if asked:
        strategy.ask()
    arrays: dict[str, Any] = strategy.save()
    np.savez(tmp_path / "state.npz", **arrays)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
        restored = CmaEs.restore(saved, config)
    while strategy.stop_reason is None:
        assert restored.stop_reason is None
        np.testing.assert_array_equal(restored.ask(), strategy.ask())
        tell_generations(strategy, 1, partly_failed)
        tell_generations(restored, 1, partly_failed)
        assert_same(restored, strategy)
    assert restored.stop_reason == strategy.stop_reason
    assert (restored.sigma, restored.condition_number) == (strategy.sigma, strategy.condition_number)
    assert best_of(restored).fitness == best_of(strategy).fitness
    np.testing.assert_array_equal(best_of(restored).coefficients, best_of(strategy).coefficients)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "failure: no member of 5 generations in a row has a fitness"),
        (1.0, "stagnation: no better member in 5 generations"),
        (2.0, None),
    ],
)
def test_failures_and_stagnation_are_counted_on_after_a_restart(value: float, reason: str | None) -> None:
    config = TuningConfig(generations=100, patience=5)
    strategy = CmaEs([3.0, 3.0], config, seed=0)
    strategy.tell([1.0] * 6)
    for _ in range(4):
        strategy.tell([math.nan] * 6)
    restored = CmaEs.restore(strategy.save(), config)
    restored.tell([value] * 6)
    assert restored.stop_reason == reason


def test_what_was_saved_does_not_change_afterwards() -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=0)
    tell_generations(strategy, 2)
    saved = strategy.save()
    copies = {name: array.copy() for name, array in saved.items()}
    tell_generations(strategy, 2)
    for name, copy in copies.items():
        np.testing.assert_array_equal(saved[name], copy)
