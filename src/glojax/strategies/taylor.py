"""Taylor losses by CMA-ES: the search of a vector instead of a tree."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses.taylor import num_taylor_parameters, taylor_tree
from glojax.strategies.base import Batch, Constraint, require_constraint
from glojax.strategies.coefficients.cma import MAX_FAILED_GENERATIONS, CmaEs
from glojax.strategies.coefficients.config import TuningConfig
from glojax.strategies.coefficients.layout import rounded

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


@dataclass(frozen=True)
class TaylorConfig:
    """Settings of the search for Taylor losses; the defaults are those with which the paper's authors search on MNIST.

    Source: Gonzalez and Miikkulainen (2021), arXiv 2002.00059, and the configurations published with its code.

    Examples:
        >>> TaylorConfig(order=1)
        Traceback (most recent call last):
            ...
        glojax.errors.ConfigurationError: order is 1; expected a whole number from 2 to 5: a Taylor loss of order 1 \
does not depend on the label.
    """

    order: int = 3
    """Order of the polynomial, from 2 to 5, which has 5, 8, 12 or 17 parameters."""
    population_size: int = 28
    """Number of candidates in each generation, at most 10,000."""
    sigma: float = 1.2
    """Initial step size of CMA-ES."""
    start: tuple[float, ...] | None = None
    """Parameters to start from: the centre, then the coefficients. By default all are 0."""

    def __post_init__(self) -> None:
        num_taylor_parameters(self.order)
        if self.start is not None:
            taylor_tree(self.start, self.order)
        _ = self.evolution  # refuses a population size or a step size out of range

    @property
    def evolution(self) -> TuningConfig:
        """The settings of CMA-ES: the budget of the search ends it, or CMA-ES has converged."""
        return TuningConfig(
            population_size=self.population_size, sigma=self.sigma, generations=sys.maxsize, patience=sys.maxsize
        )


class TaylorSearch:
    """Evolves the parameters of a Taylor loss by CMA-ES.

    The initial losses come first, and teach it nothing. A member that does not meet the constraint is not evaluated,
    and ranks worst.

    Args:
        config: Settings of the search.
        seed: The seed of the members.
        initial: Losses of any form to evaluate first.
        constraint: Says whether a member may be a candidate.

    Source: Gonzalez and Miikkulainen (2021), arXiv 2002.00059. They treat members that violate their invariant as we
    treat those that do not meet the constraint. The constraints, and the rounding to six digits, are ours.

    Examples:
        >>> search = TaylorSearch(TaylorConfig(order=2), seed=0)
        >>> len(search.ask(100)), len(search.ask(100))
        (28, 0)
    """

    def __init__(
        self,
        config: TaylorConfig,
        seed: int,
        *,
        initial: Sequence[LossTree] = (),
        constraint: Constraint = lambda tree: True,
    ):
        require_constraint(initial, constraint)
        self._config, self._seed, self._constraint = config, seed, constraint
        self._batch = Batch(initial)
        self._is_valid: list[bool] = []  # of each member of the generation; none while the initial losses are evaluated

    @cached_property
    def _evolution(self) -> CmaEs:
        start = self._config.start or [0.0] * num_taylor_parameters(self._config.order)
        return CmaEs(start, self._config.evolution, self._seed)

    def ask(self, room: int) -> tuple[LossTree, ...]:
        """Return the next members of the generation; none while it is being evaluated, or when CMA-ES has converged."""
        if self._batch.is_complete:
            self._batch = self._next_generation()
        return self._batch.ask(room)

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn the evaluation of a candidate; the last one of a generation updates CMA-ES."""
        self._batch.tell(tree, evaluation)
        if self._batch.is_complete and self._is_valid:
            fitness = np.full(len(self._is_valid), np.nan)
            known = [math.nan if each.fitness is None else each.fitness for each in self._batch.evaluations]
            fitness[self._is_valid] = known
            self._evolution.tell(fitness)

    def _next_generation(self) -> Batch:
        """Return the first generation with a member that meets the constraint; an empty batch at the end."""
        evolution = self._evolution
        while evolution.stop_reason is None:
            members = [taylor_tree([*map(rounded, row)], self._config.order) for row in evolution.ask()]
            self._is_valid = [self._constraint(tree) for tree in members]
            if any(self._is_valid):
                return Batch([*compress(members, self._is_valid)])
            evolution.tell(np.full(len(members), np.nan))
            if evolution.generation == MAX_FAILED_GENERATIONS and evolution.stop_reason is not None:
                raise ConfigurationError(
                    f"None of the first {MAX_FAILED_GENERATIONS * len(members)} Taylor losses meets the constraint and "
                    "can be trained; loosen the constraint, or give another start or sigma."
                )
        return Batch(())
