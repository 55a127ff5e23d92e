"""Generations of the evolution strategy, on functions of which the best point is known."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from glojax.coefficients import Best, CmaEs, TuningConfig

CONFIG = TuningConfig(generations=1000, patience=1000)

#: What the distribution of members is.
DISTRIBUTION = ("mean", "std", "C", "p_std", "p_c")


def sphere(members: np.ndarray) -> np.ndarray:
    """Largest, 0, at 0."""
    return np.asarray(-np.sum(members**2, axis=1))


def slope(members: np.ndarray) -> np.ndarray:
    """Larger without end."""
    return np.asarray(members @ np.arange(1, members.shape[1] + 1))


def tell_generations(strategy: CmaEs, count: int, fitness: Callable[[np.ndarray], np.ndarray] = sphere) -> None:
    for _ in range(count):
        strategy.tell(fitness(strategy.ask()))


def best_of(strategy: CmaEs) -> Best:
    assert strategy.best is not None
    return strategy.best


def assert_same(one: CmaEs, other: CmaEs, names: Sequence[str] = ()) -> None:
    """To the last bit, in everything or in what is named."""
    ours, theirs = one.save(), other.save()
    for name in names or ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def with_state(config: TuningConfig, **changes: Any) -> CmaEs:
    """A strategy of two coefficients, four generations old, with changes to its arrays."""
    strategy = CmaEs([3.0, 3.0], config, seed=0)
    tell_generations(strategy, 4)
    return CmaEs.restore(strategy.save() | {name: np.asarray(value) for name, value in changes.items()}, config)
