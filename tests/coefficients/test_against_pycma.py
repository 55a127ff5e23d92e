"""Evaluations until a function is below 1e-8, against pycma's; `benchmarks/evolution_strategy.py` measures more."""

import statistics
import warnings
from collections.abc import Callable
from typing import Any

import cma
import numpy as np
import pytest

from glojax.coefficients import CmaEs, TuningConfig, default_population_size

K = 6
START = np.full(K, 3.0)
SIGMA = 1.5
POPULATION_SIZE = default_population_size(K)
TARGET = 1e-8
MAX_GENERATIONS = 1000
NUM_SEEDS = 7

Function = Callable[[np.ndarray], np.ndarray]


def sphere(points: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(points**2, axis=1))


def ellipsoid(points: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(10 ** (6 * np.arange(K) / (K - 1)) * points**2, axis=1))


def our_evaluations(function: Function, active: bool, seed: int) -> int:
    config = TuningConfig(generations=MAX_GENERATIONS, sigma=SIGMA, active_weights=active, patience=MAX_GENERATIONS)
    strategy = CmaEs(START, config, seed)
    while strategy.best is None or strategy.best.fitness < -TARGET:
        assert strategy.stop_reason is None
        strategy.tell(-function(strategy.ask()))
    return strategy.generation * POPULATION_SIZE


def their_evaluations(function: Function, active: bool, seed: int) -> int:
    options: dict[str, Any] = {
        "CMA_active": active,
        "popsize": POPULATION_SIZE,
        "maxiter": MAX_GENERATIONS,
        "seed": 1 + seed,  # 0 would be the time
        "ftarget": TARGET,
        "tolfun": 0,
        "tolfunhist": 0,
        "tolx": 0,
        "tolxstagnation": False,
        "tolstagnation": 10**9,
        "tolflatfitness": 10**9,
        "verbose": -9,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy = cma.CMAEvolutionStrategy(START, SIGMA, options)
        while not strategy.stop():
            points = strategy.ask()
            strategy.tell(points, function(np.array(points)).tolist())
        assert strategy.stop() == {"ftarget": TARGET}
    return int(strategy.result.evaluations)


@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("function", [sphere, ellipsoid])
def test_the_target_takes_no_more_evaluations_than_pycma_needs(function: Function, active: bool) -> None:
    ours = statistics.median(our_evaluations(function, active, seed) for seed in range(NUM_SEEDS))
    theirs = statistics.median(their_evaluations(function, active, seed) for seed in range(NUM_SEEDS))
    assert ours <= 1.2 * theirs
