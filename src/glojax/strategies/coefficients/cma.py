"""CMA-ES for one vector of coefficients: evosax's algorithm behind ask and tell.

It computes on a CPU in double precision, whatever the rest of the process does: a covariance matrix of condition 1e14
needs that, and the members are the same wherever they are trained. Fitness is maximised here and minimised in evosax;
the sign flips in `CmaEs.tell`, where members are ranked, and nowhere else.
"""

import contextlib
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.cpu_devices import cpu_device
from glojax.errors import ConfigurationError
from glojax.strategies.coefficients.config import TuningConfig

#: Largest step, as a multiple of the initial one, below and above which tuning ends.
STEP_RANGE = (1e-11, 1e4)

#: Condition number of the covariance matrix above which tuning ends.
MAX_CONDITION_NUMBER = 1e14

#: Exponents of two that the square root of the largest variance may have before it is moved to the step size.
SCALE_EXPONENTS = range(-4, 5)

#: Generations in a row without a single finite fitness after which tuning ends.
MAX_FAILED_GENERATIONS = 5


class Best(NamedTuple):
    """The best member so far: its coefficients [K] float64, and its fitness."""

    coefficients: NDArray[np.float64]
    fitness: float


class CmaEs:
    """Maximises a fitness of K coefficients by (mu/mu_w, lambda)-CMA-ES.

    `ask` gives the members of a generation, `tell` takes their fitness. Equal arguments give equal members.

    Args:
        start: [K] Mean of the first generation.
        config: Step size, population size, weights, and stopping rules.
        seed: The seed of the members, from 0 to below 2^31.

    Raises:
        ConfigurationError: `start` is no vector, or is not finite.

    Source: Hansen, "The CMA Evolution Strategy: A Tutorial" (2016), as evosax implements it. Deviations: fitness enters
    by rank, equals in the order drawn, where evosax gives them the weight of their mean rank, so that the weights would
    not sum to 1; and a generation without any finite fitness leaves the distribution as it is. Evosax's own: 1e-8 is
    added to the variances in each generation, and elements of the covariance matrix are at most 1e8.

    Example:
        >>> strategy = CmaEs([3.0, 3.0], TuningConfig(generations=100), seed=0)
        >>> while strategy.stop_reason is None:
        ...     strategy.tell(-np.sum(strategy.ask() ** 2, axis=1))
        >>> strategy.stop_reason, strategy.best.fitness > -1e-8
        ('generations: 100', True)
    """

    def __init__(self, start: ArrayLike, config: TuningConfig, seed: int):
        mean = np.asarray(start, np.float64)
        if mean.ndim != 1 or not mean.size:
            raise ConfigurationError(f"The start has shape {mean.shape}; expected a vector of at least one number.")
        if not np.isfinite(mean).all():
            raise ConfigurationError(f"The start is {mean.tolist()}; expected finite numbers.")
        self._config = config
        self._seed = seed
        size = config.population_size or default_population_size(mean.size)
        self._patience = config.patience or 10 + math.ceil(30 * mean.size / size)
        with _evosax_numerics():
            self._strategy, parameters = _strategy(size, mean.size, config.active_weights)
            self._parameters = parameters.replace(std_init=jnp.asarray(config.sigma))
            state = self._strategy.init(jax.random.key(seed), jnp.asarray(mean), self._parameters)
            # Through NumPy, which knows no weak types: with them each call would compile twice.
            self._state: Any = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), state)
        self._asked: tuple[NDArray[np.float64], Any] | None = None
        self._generation = 0
        self._best: Best | None = None
        self._improved = 0
        self._failed = 0

    @property
    def population_size(self) -> int:
        """The number of members of a generation."""
        return int(self._strategy.population_size)

    @property
    def generation(self) -> int:
        """The number of generations told."""
        return self._generation

    @property
    def best(self) -> Best | None:
        """The best member ever told, the first of equals; None before any had a finite fitness."""
        return self._best

    @property
    def sigma(self) -> float:
        """The step size."""
        return float(self._state.std)

    @property
    def condition_number(self) -> float:
        """The condition number of the covariance matrix; infinite if it is singular or not finite."""
        variances = self._variances()
        return float(variances[-1] / variances[0]) if 0 < variances[0] < math.inf else math.inf

    def ask(self) -> NDArray[np.float64]:
        """Return the members [lambda, K] of the next generation; the same until they are told."""
        if self._asked is None:
            with _evosax_numerics():
                key = jax.random.fold_in(jax.random.key(self._seed), self._generation)
                members, state = self._strategy.ask(key, self._state, self._parameters)
                self._asked = np.asarray(members), state
        return self._asked[0]

    def tell(self, fitness: ArrayLike) -> None:
        """Learn from the fitness of the members that `ask` gave.

        Args:
            fitness: [lambda], larger is better; numbers that are not finite rank worst.

        Raises:
            ConfigurationError: There is not one number for each member.
        """
        members = self.ask()
        values = np.asarray(fitness, np.float64)
        if values.shape != (len(members),):
            raise ConfigurationError(f"Got fitness of shape {values.shape} for {len(members)} members; give one each.")
        failed = ~np.isfinite(values)
        self._generation += 1
        self._failed = self._failed + 1 if failed.all() else 0
        if not failed.all():
            values = np.where(failed, -np.inf, values)
            order = np.argsort(-values, kind="stable")
            self._remember(members[order[0]], float(values[order[0]]))
            costs = np.empty(len(members))
            costs[order] = np.arange(len(members))
            with _evosax_numerics():
                assert self._asked is not None
                key = jax.random.key(self._seed)  # evosax takes one, and CMA-ES does not use it
                self._state, _ = self._strategy.tell(
                    key, jnp.asarray(members), jnp.asarray(costs), self._asked[1], self._parameters
                )
            self._rescale()
        self._asked = None

    def _rescale(self) -> None:
        """Move the scale of a very small or large covariance matrix to the step size.

        The distribution stays exactly the same, since the factor is a power of two. Evosax adds 1e-8 to each variance,
        and with many members the covariance matrix may shrink below that.
        """
        largest = self._variances()[-1]
        if 0 < largest < math.inf and (exponent := round(math.log2(largest) / 2)) not in SCALE_EXPONENTS:
            factor = 2.0**exponent
            with _evosax_numerics():
                self._state = self._state.replace(
                    std=self._state.std * factor, C=self._state.C / factor**2, p_c=self._state.p_c / factor
                )

    def _remember(self, member: NDArray[np.float64], fitness: float) -> None:
        if self._best is None or fitness > self._best.fitness:
            self._best, self._improved = Best(member, fitness), self._generation

    @property
    def stop_reason(self) -> str | None:
        """The reason why no further generation is worthwhile; None while one is."""
        variances = self._variances()
        step = self.sigma * math.sqrt(max(variances[-1], 0)) / self._config.sigma
        lowest, highest = STEP_RANGE
        if self._failed >= MAX_FAILED_GENERATIONS:
            return f"failure: no member of {self._failed} generations in a row has a fitness"
        if not step <= highest:
            return f"divergence: the largest step is {step:.3g} times the initial one"
        if step < lowest:
            return f"convergence: the largest step is {step:.3g} times the initial one"
        if self.condition_number > MAX_CONDITION_NUMBER:
            return f"condition: the covariance matrix has condition number {self.condition_number:.3g}"
        if self._generation - self._improved >= self._patience:
            return f"stagnation: no better member in {self._generation - self._improved} generations"
        if self._generation >= self._config.generations:
            return f"generations: {self._generation}"
        return None

    def _variances(self) -> NDArray[np.floating]:
        """Return the eigenvalues [K] of the covariance matrix, ascending; infinite if it is not finite."""
        covariance = np.asarray(self._state.C)
        if not np.isfinite(covariance).all():
            return np.full(len(covariance), np.inf)
        return np.linalg.eigvalsh(covariance)


def default_population_size(num_coefficients: int) -> int:
    """Return the members of a generation, lambda = 4 + floor(3 ln k) (Hansen 2016, equation 48)."""
    return 4 + math.floor(3 * math.log(num_coefficients))


@lru_cache
def _strategy(population_size: int, num_coefficients: int, active_weights: bool) -> tuple[Any, Any]:
    """Return evosax's algorithm and its parameters; one object for each shape, since each compiles for itself."""
    # Not at the top: evosax computes when it is imported, and JAX cannot be configured any more once it has started.
    from evosax.algorithms import CMA_ES

    strategy = CMA_ES(population_size, jnp.zeros(num_coefficients))
    strategy.use_negative_weights = active_weights
    return strategy, strategy.default_params


@contextlib.contextmanager
def _evosax_numerics() -> Iterator[None]:
    """Compute on a CPU in double precision, with the promotions of types and ranks that evosax relies on."""
    with (
        jax.default_device(cpu_device(0)),
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield
