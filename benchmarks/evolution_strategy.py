"""The evolution strategy against pycma: evaluations until a function is below 1e-8.

    python -m benchmarks.evolution_strategy

Both begin at (3, ..., 3) with step size 1.5 and the same population size, and run with 25 seeds. Where more than one
optimum lies (Rastrigin), what counts is how many seeds reach the best one.
"""

import math
import statistics
import warnings
from collections.abc import Callable
from typing import Any

import cma
import numpy as np
from rich.progress import track

from benchmarks.record import write_result
from glojax.coefficients import CmaEs, TuningConfig, default_population_size

#: Of points [..., K], values [...].
Function = Callable[[np.ndarray], np.ndarray]

TARGET = 1e-8
NUM_SEEDS = 25
DIMENSIONS = (6, 12)
START = 3.0
SIGMA = 1.5


def sphere(points: np.ndarray) -> np.ndarray:
    """Of points [..., K]; so are the others."""
    return np.asarray(np.sum(points**2, -1))


def ellipsoid(points: np.ndarray) -> np.ndarray:
    """Axes with a condition number of 1e6."""
    K = points.shape[-1]
    return np.asarray(np.sum(10 ** (6 * np.arange(K) / (K - 1)) * points**2, -1))


def rosenbrock(points: np.ndarray) -> np.ndarray:
    """A curved valley."""
    left, right = points[..., :-1], points[..., 1:]
    return np.asarray(np.sum(100 * (right - left**2) ** 2 + (1 - left) ** 2, -1))


def rastrigin(points: np.ndarray) -> np.ndarray:
    """A local optimum near every integer point."""
    return np.asarray(np.sum(points**2 - 10 * np.cos(2 * np.pi * points) + 10, -1))


#: The functions, with the factor on the default population size and the most evaluations.
PROBLEMS: dict[str, tuple[Function, int, int]] = {
    "sphere": (sphere, 1, 20_000),
    "ellipsoid": (ellipsoid, 1, 50_000),
    "rosenbrock": (rosenbrock, 1, 50_000),
    "rastrigin": (rastrigin, 30, 200_000),
}


def evaluations_of_glojax(
    function: Function, K: int, population_size: int, active: bool, seed: int, limit: int
) -> float:
    """Evaluations until the target is reached; infinite where it is not."""
    config = TuningConfig(
        generations=limit // population_size,
        population_size=population_size,
        sigma=SIGMA,
        active_weights=active,
        patience=limit,
    )
    strategy = CmaEs(np.full(K, START), config, seed)
    while strategy.stop_reason is None:
        values = function(strategy.ask())
        strategy.tell(-values)
        if values.min() < TARGET:
            return strategy.generation * population_size
    return math.inf


def evaluations_of_pycma(
    function: Function, K: int, population_size: int, active: bool, seed: int, limit: int
) -> float:
    """The same with pycma, whose own reasons to stop early are off."""
    options = {
        "popsize": population_size,
        "CMA_active": active,
        "seed": seed + 1,  # 0 would mean the time
        "ftarget": TARGET,
        "maxfevals": limit,
        "verbose": -9,
        **dict.fromkeys(("tolfun", "tolfunhist", "tolx"), 0),
        **dict.fromkeys(("tolstagnation", "tolflatfitness"), 10**9),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy: Any = cma.CMAEvolutionStrategy(np.full(K, START), SIGMA, options)
        while not strategy.stop():
            points = strategy.ask()
            strategy.tell(points, function(np.array(points)).tolist())
    return float(strategy.result.evaluations) if strategy.best.f < TARGET else math.inf


def main() -> None:
    """Measure, print and write `results/evolution_strategy.json`."""
    rows: list[dict[str, Any]] = []
    cases = [(name, K, active) for name in PROBLEMS for K in DIMENSIONS for active in (False, True)]
    for name, K, active in track(cases, "Functions", transient=True):
        function, factor, limit = PROBLEMS[name]
        size = factor * default_population_size(K)
        arguments = [(function, K, size, active, seed, limit) for seed in range(NUM_SEEDS)]
        ours = [evaluations_of_glojax(*case) for case in arguments]
        theirs = [evaluations_of_pycma(*case) for case in arguments]
        rows.append(
            {
                "function": name,
                "coefficients": K,
                "population_size": size,
                "weights": "active" if active else "positive",
                "glojax_reached": sum(map(math.isfinite, ours)),
                "pycma_reached": sum(map(math.isfinite, theirs)),
                "glojax_median": _median(ours),
                "pycma_median": _median(theirs),
                # JSON knows no infinity: null for a seed that did not get there.
                "glojax_evaluations": [count if math.isfinite(count) else None for count in ours],
                "pycma_evaluations": [count if math.isfinite(count) else None for count in theirs],
            }
        )
    print(f"Evaluations to {TARGET:g}, median of {NUM_SEEDS} seeds, and how many reached it")
    print(f"{'function':12}{'k':>4} {'lambda':>6}  {'weights':9}{'glojax':>9}{'pycma':>9}{'ratio':>7}  reached")
    for row in rows:
        medians = row["glojax_median"], row["pycma_median"]
        ratio = f"{medians[0] / medians[1]:.2f}" if all(medians) else "-"
        reached = f"{row['glojax_reached']} / {row['pycma_reached']}"
        print(
            f"{row['function']:12}{row['coefficients']:4} {row['population_size']:6}  {row['weights']:9}"
            f"{medians[0] or '-':>9}{medians[1] or '-':>9}{ratio:>7}  {reached}"
        )
    write_result("evolution_strategy", {"target": TARGET, "seeds": NUM_SEEDS, "sigma": SIGMA, "rows": rows})


def _median(evaluations: list[float]) -> float | None:
    """Over all seeds, where one that did not get there counts as infinite; None if the median is."""
    median = statistics.median(evaluations)
    return median if math.isfinite(median) else None


if __name__ == "__main__":
    main()
