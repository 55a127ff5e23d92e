"""Discovery: a search for losses, and its summary after every so many candidates."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, get_args

import numpy as np

from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation, Evaluator, Status
from glojax.expressions import LossTree
from glojax.search.logs import EventLog
from glojax.search.loop import Search, rank
from glojax.strategies import Constraints, DiscoveryConfig, find_constraint, find_strategy


@dataclass(frozen=True, kw_only=True)
class GenerationRecord:
    """The summary of a generation: as many candidates as a population holds, told one after the other.

    Attributes:
        generation: Its number, from 1.
        best_fitness: The highest fitness; None if none is known.
        median_fitness: The median of the fitness that is known; None if none is.
        best_expression: The fittest candidate; of equally fit ones the smallest.
        trained, non_finite, lacks_variable, crashed, cached, rejected: The number of candidates of each
            `Evaluation.status`.
        candidate_steps: Optimizer steps in all.
        seconds: Wall time.
    """

    generation: int
    best_fitness: float | None
    median_fitness: float | None
    best_expression: str
    trained: int
    non_finite: int
    lacks_variable: int
    crashed: int
    cached: int
    rejected: int = 0
    candidate_steps: int
    seconds: float

    @classmethod
    def of(cls, generation: int, evaluations: Sequence[Evaluation], seconds: float, **others: Any) -> Self:
        """Sum up evaluations; `others` are the fields that a subclass adds or sets by itself."""
        best = min(evaluations, key=rank)
        statuses = [evaluation.status for evaluation in evaluations]
        known = [evaluation.fitness for evaluation in evaluations if evaluation.fitness is not None]
        fields: dict[str, Any] = {status: statuses.count(status) for status in get_args(Status)} | {
            "generation": generation,
            "best_fitness": best.fitness,
            "median_fitness": round(float(np.median(known)), 6) if known else None,
            "best_expression": best.expression,
            "candidate_steps": sum(evaluation.steps for evaluation in evaluations),
            "seconds": round(seconds, 3),
        }
        return cls(**fields | others)


@dataclass(frozen=True)
class Discovered:
    """A loss function that was evaluated, and the generation, from 1, in which it first occurred."""

    evaluation: Evaluation
    generation: int


def discover(
    evaluator: Evaluator,
    config: DiscoveryConfig | None = None,
    num_generations: int = 25,
    seed: int = 0,
    *,
    strategy: str = "generational",
    initial: Sequence[LossTree] = (),
    constraint: Constraints = (),
    time_limit: float | None = None,
    log: EventLog | None = None,
    progress: bool = False,
    on_evaluation: Callable[[Evaluation, int], None] = lambda evaluation, generation: None,
    on_generation: Callable[[GenerationRecord], None] = lambda record: None,
) -> list[Discovered]:
    """Search for loss functions.

    Args:
        evaluator: Gives candidates their fitness.
        config: Settings of the strategy, by default the paper's: a `TaylorConfig` for "taylor", else a `GeneticConfig`.
        num_generations: At least 1; each has `config.population_size` candidates.
        seed: The seed of the strategy.
        strategy: A name in `DISCOVERY_STRATEGIES`: "shape", "generational", "steady-state", "random" or "taylor".
        initial: Losses to begin with; the other candidates of the first generation are random.
        constraint: Says whether a tree may be a candidate; others are drawn again. A predicate, a name in `CONSTRAINTS`
            ("minimum_at_label", "convex_in_y" or "bounded"), or several, which must all hold.
        time_limit: Seconds after which the search ends; None for no limit.
        log: Keeps the order in which evaluations complete, in which they are then told; None for the order of asking.
        progress: Show a bar: a widget in a notebook, elsewhere a line on standard error.
        on_evaluation: Called with each evaluation when it is told, and the number of its generation.
        on_generation: Called at the end of each generation.

    Returns:
        Every distinct loss function, the best first; of equally fit ones the smaller, then the earlier.

    Raises:
        ConfigurationError: The strategy or a constraint is unknown or not for the task, the settings are those of
            another strategy, or an initial loss may not be a candidate.
        GlojaxError: A device has no memory for a single candidate, or the log is of another search.

    Source: Gonzalez and Miikkulainen (2020), section III-A, for the default.
    """
    make, config_type = find_strategy(strategy)
    config = config or config_type()
    if not isinstance(config, config_type):
        raise ConfigurationError(f"Strategy {strategy!r} got {config}; expected a {config_type.__name__}.")
    generation: list[Evaluation] = []
    found: dict[LossTree, Discovered] = {}
    number, start = 1, time.perf_counter()

    def take_in(evaluation: Evaluation) -> None:
        nonlocal number, start
        found.setdefault(evaluation.tree, Discovered(evaluation, number))
        generation.append(evaluation)
        current, record = number, None
        if len(generation) == config.population_size:
            number, now = number + 1, time.perf_counter()
            record, start = GenerationRecord.of(current, generation, now - start), now
            generation.clear()
        # The callbacks come last: an exception in one of them leaves everything counted.
        on_evaluation(evaluation, current)
        if record is not None:
            on_generation(record)

    made = make(config, seed, initial=initial, constraint=find_constraint(constraint, evaluator.domain))
    search = Search(made, evaluator, log=log, on_evaluation=take_in)
    search.run(num_generations * config.population_size, time_limit=time_limit, progress=progress)
    return [found[evaluation.tree] for evaluation in search.found]
