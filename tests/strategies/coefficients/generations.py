"""Generations of the evolution strategy, on functions of which the best point is known."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from glojax.strategies.coefficients import CmaEs, TuningConfig
from glojax.strategies.coefficients.cma import _evosax_numerics

CONFIG = TuningConfig(generations=1000, patience=1000)


def sphere(members: np.ndarray) -> np.ndarray:
    """Largest, 0, at 0."""
    return np.asarray(-np.sum(members**2, axis=1))


def slope(members: np.ndarray) -> np.ndarray:
    """Larger without end."""
    return np.asarray(members @ np.arange(1, members.shape[1] + 1))


def tell_generations(strategy: CmaEs, count: int, fitness: Callable[[np.ndarray], np.ndarray] = sphere) -> None:
    for _ in range(count):
        strategy.tell(fitness(strategy.ask()))


def distribution(strategy: CmaEs) -> dict[str, np.ndarray]:
    """The parameters of the distribution of members."""
    return {name: np.asarray(getattr(strategy._state, name)) for name in ("mean", "std", "C", "p_std", "p_c")}


def assert_same(one: CmaEs, other: CmaEs) -> None:
    """The distributions are equal to the last bit."""
    for name, expected in distribution(other).items():
        np.testing.assert_array_equal(distribution(one)[name], expected, err_msg=name)


def with_state(config: TuningConfig, age: int = 4, **changes: Any) -> CmaEs:
    """A strategy of two coefficients, so many generations old, with changes to its distribution."""
    strategy = CmaEs([3.0, 3.0], config, seed=0)
    tell_generations(strategy, age)
    with _evosax_numerics():
        arrays = {name: jnp.asarray(value, jnp.float64) for name, value in changes.items()}
        strategy._state = strategy._state.replace(**arrays)
    return strategy
