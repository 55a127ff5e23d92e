"""The evolution strategy against its equations in NumPy, its members, and what fitness does to it."""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.errors import ConfigurationError
from glojax.strategies.coefficients import CmaEs, TuningConfig, default_population_size
from tests.strategies.coefficients.generations import (
    CONFIG,
    assert_same,
    distribution,
    slope,
    sphere,
    tell_generations,
    with_state,
)

TARGET = np.array([0.5, -1.0])


class Generation(NamedTuple):
    mean: np.ndarray
    sigma: float
    covariance: np.ndarray
    stalled: bool


def tutorial(start: Sequence[float], sigma: float, generations: list[np.ndarray], active: bool) -> list[Generation]:
    """Equations of Hansen (2016) for generations of members [lambda, K], each sorted with the best first.

    Three details are evosax's: the covariance matrix gets 1e-8 on its diagonal before each generation is drawn; the
    first generation counts as the second in the condition under which the evolution path stalls; and the learning rate
    c_mu lacks the 1/4 that later editions of the tutorial add.
    """
    size, K = generations[0].shape
    raw = np.log((size + 1) / 2) - np.log(np.arange(1, size + 1))
    good, bad = raw[: size // 2], raw[size // 2 :]
    mu_eff, mu_eff_bad = (np.sum(weights) ** 2 / np.sum(weights**2) for weights in (good, bad))
    c_sigma = (mu_eff + 2) / (K + mu_eff + 5)
    d_sigma = 1 + 2 * max(0, math.sqrt((mu_eff - 1) / (K + 1)) - 1) + c_sigma
    c_c = (4 + mu_eff / K) / (K + 4 + 2 * mu_eff / K)
    c_1 = 2 / ((K + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (mu_eff - 2 + 1 / mu_eff) / ((K + 2) ** 2 + mu_eff))
    repulsion = min(1 + c_1 / c_mu, 1 + 2 * mu_eff_bad / (mu_eff + 2), (1 - c_1 - c_mu) / (K * c_mu)) * active
    weights = np.where(raw >= 0, raw / raw[raw > 0].sum(), repulsion * raw / -raw[raw < 0].sum())
    expected_norm = math.sqrt(K) * (1 - 1 / (4 * K) + 1 / (21 * K**2))

    mean, covariance = np.asarray(start, np.float64), np.eye(K)
    path_sigma, path_c = np.zeros(K), np.zeros(K)
    states = []
    for number, members in enumerate(generations, 2):
        covariance = covariance + 1e-8 * np.eye(K)
        variances, axes = np.linalg.eigh(covariance)
        whitening = axes @ np.diag(variances**-0.5) @ axes.T
        steps = (members - mean) / sigma
        step = weights[: size // 2] @ steps[: size // 2]
        mean = mean + sigma * step
        path_sigma = (1 - c_sigma) * path_sigma + math.sqrt(c_sigma * (2 - c_sigma) * mu_eff) * whitening @ step
        norm = float(np.linalg.norm(path_sigma))
        sigma = sigma * math.exp(c_sigma / d_sigma * (norm / expected_norm - 1))
        stalled = norm / math.sqrt(1 - (1 - c_sigma) ** (2 * number)) >= (1.4 + 2 / (K + 1)) * expected_norm
        path_c = (1 - c_c) * path_c + (not stalled) * math.sqrt(c_c * (2 - c_c) * mu_eff) * step
        lengths = np.sum((steps @ whitening) ** 2, axis=1)
        scaled = np.where(weights >= 0, weights, weights * K / lengths)
        kept = 1 + c_1 * stalled * c_c * (2 - c_c) - c_1 - c_mu * weights.sum()
        covariance = kept * covariance + c_1 * np.outer(path_c, path_c) + c_mu * (steps.T * scaled) @ steps
        states.append(Generation(mean, sigma, covariance, bool(stalled)))
    return states


@pytest.mark.parametrize(("K", "active"), [(1, False), (6, False), (6, True)])
@pytest.mark.parametrize("fitness", [sphere, slope])
def test_the_equations_in_numpy_give_the_same(fitness: Callable[..., np.ndarray], K: int, active: bool) -> None:
    strategy = CmaEs([3.0] * K, TuningConfig(active_weights=active), seed=1)
    sorted_members, states = [], []
    for _ in range(10):
        members = strategy.ask()
        sorted_members.append(members[np.argsort(-fitness(members))])
        strategy.tell(fitness(members))
        states.append(distribution(strategy))
    expected = tutorial([3.0] * K, 1.5, sorted_members, active)
    for state, generation in zip(states, expected, strict=True):
        np.testing.assert_allclose(state["mean"], generation.mean, rtol=1e-9)
        np.testing.assert_allclose(state["std"], generation.sigma, rtol=1e-9)
        np.testing.assert_allclose(state["C"], generation.covariance, rtol=1e-9, atol=1e-9)
    # Either branch of the path is taken.
    assert fitness is sphere or any(generation.stalled for generation in expected)
    assert not all(generation.stalled for generation in expected)


@pytest.mark.parametrize(("K", "size"), [(1, 4), (2, 6), (6, 9), (12, 11), (27, 13)])
def test_the_default_population_grows_with_the_logarithm(K: int, size: int) -> None:
    assert default_population_size(K) == size


def test_a_generation_has_one_row_for_each_member() -> None:
    assert CmaEs(np.zeros(6), CONFIG, seed=0).ask().shape == (default_population_size(6), 6) == (9, 6)
    strategy = CmaEs(np.zeros(2), TuningConfig(population_size=5), seed=0)
    assert strategy.ask().shape == (strategy.population_size, 2) == (5, 2)


def test_members_are_normal_around_the_mean() -> None:
    mean, covariance = np.array([3.0, -1.0]), np.array([[2.0, 1.2], [1.2, 1.0]])
    members = with_state(TuningConfig(population_size=10_000), 0, mean=mean, C=covariance, std=0.5).ask()
    np.testing.assert_allclose(members.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(members.T), 0.5**2 * covariance, atol=0.02)
    steps = (members - mean) @ np.linalg.inv(np.linalg.cholesky(0.5**2 * covariance)).T
    np.testing.assert_allclose(np.mean(steps**4, axis=0), 3, atol=0.2)


def test_members_are_the_same_until_they_are_told_and_change_then() -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=5)
    for _ in range(3):
        members = strategy.ask()
        np.testing.assert_array_equal(strategy.ask(), members)
        tell_generations(strategy, 1)
        assert not np.isin(strategy.ask(), members).any()
    assert strategy.generation == 3


@pytest.mark.parametrize("active", [False, True])
def test_repeated_calls_give_the_same_to_the_last_bit(active: bool) -> None:
    def partly_failed(members: np.ndarray) -> np.ndarray:
        return np.where(members[:, 0] < 2, sphere(members), math.nan)

    config = TuningConfig(generations=13, active_weights=active)
    one, other = (CmaEs([3.0, 2.0], config, seed=9) for _ in range(2))
    while one.stop_reason is None:
        assert other.stop_reason is None
        # That members are asked for more than once, or not before they are told, makes no difference.
        one.ask()
        one.tell(partly_failed(one.ask()))
        tell_generations(other, 1, partly_failed)
        assert_same(one, other)
        assert (one.sigma, one.condition_number) == (other.sigma, other.condition_number)
    assert one.stop_reason == other.stop_reason


def test_seeds_differ() -> None:
    members = [CmaEs([3.0, 3.0], CONFIG, seed).ask() for seed in (0, 1, 2**31 - 1)]
    assert len(np.unique(members)) == np.size(members)


@pytest.mark.parametrize("active", [False, True])
def test_the_largest_fitness_is_found(active: bool) -> None:
    strategy = CmaEs([3.0, 3.0], TuningConfig(generations=100, patience=100, active_weights=active), seed=0)
    while strategy.stop_reason is None:
        members = strategy.ask()
        strategy.tell(sphere(members - TARGET))
    np.testing.assert_allclose(members[np.argmax(sphere(members - TARGET))], TARGET, atol=1e-4)
    np.testing.assert_allclose(distribution(strategy)["mean"], TARGET, atol=1e-4)
    assert strategy.sigma < 1.5


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_fitness_that_is_not_finite_ranks_worst_in_the_order_drawn(failure: float) -> None:
    failed, low = (CmaEs([3.0, 3.0], TuningConfig(active_weights=True), seed=3) for _ in range(2))
    failed.tell([failure, 1.0, failure, 3.0, 2.0, failure])
    low.tell([-1e300, 1.0, -1e301, 3.0, 2.0, -1e302])
    assert_same(failed, low)


def test_only_the_order_of_fitness_counts() -> None:
    one, other = (CmaEs([3.0, 3.0], CONFIG, seed=3) for _ in range(2))
    one.tell([0.1, 0.5, 0.2, 0.4, 0.3, 0.0])
    other.tell(np.array([-5, 1000, -4, 7, 0, -6]))
    assert_same(one, other)


@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("K", [2, 6])
def test_equals_are_weighted_in_the_order_drawn(K: int, active: bool) -> None:
    start = np.full(K, 3.0)
    strategy = CmaEs(start, TuningConfig(active_weights=active), seed=0)
    members = strategy.ask()
    parents = len(members) // 2
    weights = math.log((len(members) + 1) / 2) - np.log(np.arange(1, parents + 1))
    strategy.tell(np.zeros(len(members)))
    np.testing.assert_allclose(distribution(strategy)["mean"], weights @ members[:parents] / weights.sum(), rtol=1e-12)
    (expected,) = tutorial(start.tolist(), 1.5, [members], active)
    np.testing.assert_allclose(distribution(strategy)["C"], expected.covariance, rtol=1e-9, atol=1e-9)


def test_the_covariance_stays_positive_when_all_are_equal_for_long() -> None:
    strategy = CmaEs([3.0] * 6, TuningConfig(active_weights=True), seed=0)
    tell_generations(strategy, 50, lambda members: np.zeros(len(members)))
    assert np.linalg.eigvalsh(distribution(strategy)["C"])[0] > 0
    assert strategy.condition_number < 1e3


def test_a_generation_without_a_fitness_changes_only_the_next_members() -> None:
    strategy, before = (CmaEs([3.0, 3.0], CONFIG, seed=0) for _ in range(2))
    for one in (strategy, before):
        tell_generations(one, 3)
    members = strategy.ask()
    strategy.tell([math.nan, math.inf, -math.inf, math.nan, math.nan, math.nan])
    assert_same(strategy, before)
    assert strategy.generation == 4
    assert not np.isin(strategy.ask(), members).any()


def test_double_precision_is_for_the_strategy_alone() -> None:
    strategy = CmaEs(np.full(2, 3, np.float32), CONFIG, seed=0)
    tell_generations(strategy, 2)
    assert strategy.ask().dtype == np.float64
    assert not np.array_equal(strategy.ask(), strategy.ask().astype(np.float32))
    assert all(array.dtype == np.float64 for array in distribution(strategy).values())
    assert not jax.config.read("jax_enable_x64")
    assert jnp.zeros(1).dtype == np.float32


def test_the_settings_of_the_process_change_nothing() -> None:
    def run() -> CmaEs:
        strategy = CmaEs([3.0, 3.0], TuningConfig(population_size=5), seed=0)
        tell_generations(strategy, 2)
        return strategy

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        double = run()
    with jax.numpy_rank_promotion("raise"):
        assert_same(run(), double)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([[3.0, 3.0]], r"The start has shape \(1, 2\); expected a vector of at least one number"),
        (3.0, r"The start has shape \(\)"),
        ([], r"The start has shape \(0,\)"),
        ([3.0, math.nan], r"The start is \[3.0, nan\]; expected finite numbers"),
        ([math.inf], r"The start is \[inf\]"),
    ],
)
def test_a_start_that_is_not_a_finite_vector_is_refused(start: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CmaEs(start, TuningConfig(), seed=0)


@pytest.mark.parametrize("fitness", [[1.0, 2.0, 3.0], [], 1.0, [[1.0] * 6], [1.0] * 7])
def test_fitness_that_is_not_one_number_for_each_member_is_refused_and_changes_nothing(fitness: Any) -> None:
    strategy = CmaEs([3.0, 3.0], CONFIG, seed=0)
    members = strategy.ask()
    with pytest.raises(ConfigurationError, match=r"Got fitness of shape \(.*\) for 6 members; give one each"):
        strategy.tell(fitness)
    assert strategy.generation == 0
    np.testing.assert_array_equal(strategy.ask(), members)


def test_importing_the_commands_does_not_start_jax() -> None:
    # evosax computes when it is imported; afterwards, JAX's devices could not be chosen.
    code = (
        "import glojax.search.commands, jax\n"
        "jax.config.update('jax_num_cpu_devices', 3)\n"
        "print(jax.local_device_count())"
    )
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    for name in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS"):
        environment.pop(name, None)
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["3"]
