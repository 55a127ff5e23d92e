"""The evolution strategy compared with pycma: evaluations until a function is below 1e-8.

    python -m benchmarks.evolution_strategy

Both begin at (3, ..., 3) with step size 1.5 and the same population size. A sample is a seed, not a turn. A seed that
does not reach the target, as may happen on a function with several optima (Rastrigin), counts with the limit of
evaluations. So medians and comparisons hold if half of the seeds reach it; the record says how many do.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tyro
from rich.progress import track

from benchmarks.measurement import complete_record, save
from benchmarks.record import Case, Samples
from glojax.strategies.coefficients import CmaEs, TuningConfig, default_population_size

TARGET = 1e-8
START = 3.0
SIGMA = 1.5


@dataclass(frozen=True)
class Options:
    """Options of the measurement."""

    seeds: int = 25
    dimensions: tuple[int, ...] = (6, 12)
    """Coefficients of the functions."""


def sphere(points: np.ndarray) -> np.ndarray:
    """Return the squared distance of points [..., K] to the optimum."""
    return np.asarray(np.sum(points**2, -1))


def ellipsoid(points: np.ndarray) -> np.ndarray:
    """Return a quadratic form with a condition number of 1e6."""
    K = points.shape[-1]
    return np.asarray(np.sum(10 ** (6 * np.arange(K) / (K - 1)) * points**2, -1))


def rosenbrock(points: np.ndarray) -> np.ndarray:
    """Return a function with a curved valley."""
    left, right = points[..., :-1], points[..., 1:]
    return np.asarray(np.sum(100 * (right - left**2) ** 2 + (1 - left) ** 2, -1))


def rastrigin(points: np.ndarray) -> np.ndarray:
    """Return a function with a local optimum near every integer point."""
    return np.asarray(np.sum(points**2 - 10 * np.cos(2 * np.pi * points) + 10, -1))


class Problem(NamedTuple):
    """A function to minimise.

    Attributes:
        function: Maps points [..., K] to values [...].
        factor: Multiplies the default population size.
        limit: The greatest number of evaluations.
    """

    function: Callable[[np.ndarray], np.ndarray]
    factor: int
    limit: int


PROBLEMS = {
    "sphere": Problem(sphere, 1, 20_000),
    "ellipsoid": Problem(ellipsoid, 1, 50_000),
    "rosenbrock": Problem(rosenbrock, 1, 50_000),
    "rastrigin": Problem(rastrigin, 30, 200_000),
}


def evaluations_of_glojax(problem: Problem, K: int, population: int, active: bool, seed: int) -> int | None:
    """Return the number of evaluations until the target is reached; None if it is not reached."""
    config = TuningConfig(
        generations=problem.limit // population,
        population_size=population,
        sigma=SIGMA,
        active_weights=active,
        patience=problem.limit,
    )
    strategy = CmaEs(np.full(K, START), config, seed)
    while strategy.stop_reason is None:
        values = problem.function(strategy.ask())
        strategy.tell(-values)
        if values.min() < TARGET:
            return strategy.generation * population
    return None


def evaluations_of_pycma(problem: Problem, K: int, population: int, active: bool, seed: int) -> int | None:
    """Return the same for pycma, whose own stopping rules are off."""
    options = {
        "popsize": population,
        "CMA_active": active,
        "seed": seed + 1,  # 0 would mean the time
        "ftarget": TARGET,
        "maxfevals": problem.limit,
        "verbose": -9,
        **dict.fromkeys(("tolfun", "tolfunhist", "tolx"), 0),
        **dict.fromkeys(("tolstagnation", "tolflatfitness"), 10**9),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cma  # takes longer than all other imports of the tests

        strategy: Any = cma.CMAEvolutionStrategy(np.full(K, START), SIGMA, options)
        while not strategy.stop():
            points = strategy.ask()
            strategy.tell(points, problem.function(np.array(points)).tolist())
    return int(strategy.result.evaluations) if strategy.best.f < TARGET else None


CONTESTANTS = {"glojax": evaluations_of_glojax, "pycma": evaluations_of_pycma}


def measured(contestant: str, function: str, K: int, active: bool, seeds: int) -> Case:
    """Measure one contestant on one function."""
    problem = PROBLEMS[function]
    population = problem.factor * default_population_size(K)
    found = [CONTESTANTS[contestant](problem, K, population, active, seed) for seed in range(seeds)]
    return Case(
        contestant,
        {"function": function, "k": K, "population": population, "weights": "active" if active else "positive"},
        Samples(tuple(problem.limit if evaluations is None else evaluations for evaluations in found)),
        details={"reached": seeds - found.count(None), "limit": problem.limit},
    )


def main(options: Options) -> None:
    """Measure, print, and write `results/evolution_strategy.json`."""
    cases = [
        (contestant, function, K, active)
        for function in PROBLEMS
        for K in options.dimensions
        for active in (False, True)
        for contestant in CONTESTANTS
    ]
    configuration = {"target": TARGET, "start": START, "sigma": SIGMA, "seeds": options.seeds}
    done = [measured(*case, options.seeds) for case in track(cases, "Functions", transient=True)]
    save(complete_record("evolution_strategy", done, f"evaluations to {TARGET:g}", configuration))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
