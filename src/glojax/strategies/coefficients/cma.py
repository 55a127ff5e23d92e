"""CMA-ES for one vector of coefficients: evosax's algorithm behind ask and tell.

It computes on a CPU in double precision, whatever the rest of the process uses: a covariance matrix of condition 1e14
needs that, and the members do not depend on the device that trains them. Fitness is maximised here and minimised in
evosax; only `CmaEs.tell`, which ranks the members, changes the sign.
"""

import contextlib
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.cpu_devices import cpu_device
from glojax.errors import ConfigurationError
from glojax.strategies.coefficients.config import TuningConfig

# Limits beyond which tuning ends: of the largest step, as a multiple of the initial one; of the condition number of the
# covariance matrix; and of the generations in a row without a single finite fitness.
STEP_RANGE = (1e-11, 1e4)
MAX_CONDITION_NUMBER = 1e14
MAX_FAILED_GENERATIONS = 5

#: Exponents of two that the square root of the largest variance may have before it is moved to the step size.
SCALE_EXPONENTS = range(-4, 5)


class CmaEs:
    """Maximises a fitness of K coefficients by (mu/mu_w, lambda)-CMA-ES.

    `ask` gives the members of a generation, `tell` takes their fitness. Equal arguments give equal members.

    Args:
        start: [K] Mean of the first generation.
        config: Step size, population size, weights, and stopping rules.
        seed: The seed of the members, from 0 to below 2^31.

    Attributes:
        population_size: The number of members of a generation, lambda.
        generation: The number of generations told.

    Source: Hansen, "The CMA Evolution Strategy: A Tutorial" (2016), as evosax implements it. Deviations: members with
    equal fitness rank in the order drawn, while evosax would give them the weight of their mean rank, so that the
    weights would not sum to 1; and a generation without any finite fitness does not change the distribution. Deviations
    of evosax: it adds 1e-8 to the variances in each generation, and limits elements of the covariance matrix to 1e8.

    Examples:
        >>> strategy = CmaEs([3.0, 3.0], TuningConfig(generations=100), seed=0)
        >>> while strategy.stop_reason is None:
        ...     members = strategy.ask()
        ...     strategy.tell(-np.sum(members**2, axis=1))
        >>> strategy.stop_reason, bool(np.max(np.abs(members)) < 1e-3)
        ('generations: 100', True)
    """

    def __init__(self, start: ArrayLike, config: TuningConfig, seed: int):
        mean = np.asarray(start, np.float64)
        if mean.ndim != 1 or not mean.size:
            raise ConfigurationError(f"The start has shape {mean.shape}; expected a vector of at least one number.")
        if not np.isfinite(mean).all():
            raise ConfigurationError(f"The start is {mean.tolist()}; expected finite numbers.")
        self._config = config
        self.population_size = config.population_size or default_population_size(mean.size)
        self.generation = 0
        self._patience = config.patience or 10 + math.ceil(30 * mean.size / self.population_size)
        with _evosax_numerics():
            self._key = jax.random.key(seed)
            self._algorithm = _algorithm(self.population_size, mean.size)
            parameters = _parameters(self._algorithm, config.active_weights)
            self._parameters = parameters.replace(std_init=jnp.asarray(config.sigma))
            state = self._algorithm.init(self._key, jnp.asarray(mean), self._parameters)
            # Through NumPy, which has no weak types: with them each call would compile twice.
            self._state: Any = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), state)
        self._members: NDArray[np.float64] | None = None
        self._drawn_state: Any = None
        self._best_fitness = -math.inf
        self._last_improvement = 0
        self._num_failed = 0

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
        if self._members is None:
            with _evosax_numerics():
                key = jax.random.fold_in(self._key, self.generation)
                members, self._drawn_state = self._algorithm.ask(key, self._state, self._parameters)
                self._members = np.asarray(members)
        return self._members

    def tell(self, fitness: ArrayLike) -> None:
        """Learn from the fitness [lambda] of the members that `ask` returns; numbers that are not finite rank worst."""
        members = self.ask()
        values = np.asarray(fitness, np.float64)
        if values.shape != (len(members),):
            raise ConfigurationError(f"Got fitness of shape {values.shape} for {len(members)} members; give one each.")
        values = np.where(np.isfinite(values), values, -np.inf)
        best = values.max()
        self.generation += 1
        self._num_failed = self._num_failed + 1 if best == -np.inf else 0
        if best > self._best_fitness:
            self._best_fitness, self._last_improvement = best, self.generation
        if not self._num_failed:
            costs = np.empty(len(members))
            costs[np.argsort(-values, kind="stable")] = np.arange(len(members))
            with _evosax_numerics():
                self._state, _ = self._algorithm.tell(  # CMA-ES does not use the key
                    self._key, jnp.asarray(members), jnp.asarray(costs), self._drawn_state, self._parameters
                )
            self._rescale()
        self._members = None

    def _rescale(self) -> None:
        """Move the scale of a very small or large covariance matrix to the step size.

        The distribution stays exactly the same, since the factor is a power of two. With many members the covariance
        matrix may shrink below the 1e-8 that evosax adds to each variance.
        """
        largest = self._variances()[-1]
        if 0 < largest < math.inf and (exponent := round(math.log2(largest) / 2)) not in SCALE_EXPONENTS:
            factor = 2.0**exponent
            with _evosax_numerics():
                self._state = self._state.replace(
                    std=self._state.std * factor, C=self._state.C / factor**2, p_c=self._state.p_c / factor
                )

    @property
    def stop_reason(self) -> str | None:
        """The reason why no further generation is worthwhile; None while one is."""
        variances = self._variances()
        step = self.sigma * math.sqrt(max(variances[-1], 0)) / self._config.sigma
        lowest, highest = STEP_RANGE
        if self._num_failed >= MAX_FAILED_GENERATIONS:
            return f"failure: no member of {self._num_failed} generations in a row has a fitness"
        if not step <= highest:
            return f"divergence: the largest step is {step:.3g} times the initial one"
        if step < lowest:
            return f"convergence: the largest step is {step:.3g} times the initial one"
        if self.condition_number > MAX_CONDITION_NUMBER:
            return f"condition: the covariance matrix has condition number {self.condition_number:.3g}"
        if (waited := self.generation - self._last_improvement) >= self._patience:
            return f"stagnation: no better member in {waited} generations"
        if self.generation >= self._config.generations:
            return f"generations: {self.generation}"
        return None

    def _variances(self) -> NDArray[np.floating]:
        """Return the eigenvalues [K] of the covariance matrix, ascending; infinite if it is not finite."""
        covariance = np.asarray(self._state.C)
        if not np.isfinite(covariance).all():
            return np.full(len(covariance), np.inf)
        return np.linalg.eigvalsh(covariance)


def default_population_size(num_coefficients: int) -> int:
    """Return the number of members of a generation, lambda = 4 + floor(3 ln K) (Hansen 2016, equation 48)."""
    return 4 + math.floor(3 * math.log(num_coefficients))


@lru_cache
def _algorithm(population_size: int, num_coefficients: int) -> Any:
    """Return evosax's algorithm; one object for each shape, since each compiles for itself."""
    # Not at the top: evosax computes when it is imported, and JAX cannot be configured after it has started.
    from evosax.algorithms import CMA_ES

    return CMA_ES(population_size, jnp.zeros(num_coefficients))


@lru_cache
def _parameters(algorithm: Any, active_weights: bool) -> Any:
    """Return the parameters of an algorithm; nothing but its weights depends on which are active."""
    algorithm.use_negative_weights = active_weights
    return algorithm.default_params


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
