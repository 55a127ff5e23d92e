"""Tuning: a search for the coefficients of given losses, and its summary after each generation."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glojax.evaluation import Evaluation, Evaluator
from glojax.expressions import LossTree
from glojax.search.generations import GenerationRecord
from glojax.search.logs import EventLog
from glojax.search.loop import Search, rank
from glojax.search.progress_bar import progress_bar
from glojax.strategies.coefficients import CoefficientSearch, LossTuning, TuningConfig


@dataclass(frozen=True, kw_only=True)
class TuningRecord(GenerationRecord):
    """The summary of a generation of one loss; all losses under tuning share its wall time.

    Attributes:
        loss: The loss as tuning began.
        best_so_far: The highest fitness up to now, the untuned loss included; None if none is known.
        best_expression: The loss that has it.
        sigma, condition_number: Step size, and condition of the covariance matrix, of the next generation.
        stop_reason: Why the tuning of this loss ended here; None if it went on.
    """

    loss: str
    best_so_far: float | None
    sigma: float
    condition_number: float
    stop_reason: str | None


@dataclass(frozen=True)
class Tuned:
    """A loss after tuning.

    Attributes:
        loss: The loss as tuning began.
        start: Its evaluation.
        best: The best evaluation of the loss, with any coefficients; `start` if no member was better.
        found: Every distinct evaluation of a member, the best first; of equally fit ones the latest, where the search
            went.
        num_coefficients: The number of coefficients that were tuned.
        generations: The number of its generations.
        stop_reason: Why it ended.
    """

    loss: LossTree
    start: Evaluation
    best: Evaluation
    found: list[Evaluation]
    num_coefficients: int
    generations: int
    stop_reason: str


def tune(
    trees: Sequence[LossTree],
    evaluator: Evaluator,
    config: TuningConfig | None = None,
    seed: int = 0,
    *,
    log: EventLog | None = None,
    on_evaluation: Callable[[Evaluation, int], None] = lambda evaluation, generation: None,
    on_record: Callable[[TuningRecord], None] = lambda record: None,
    progress: bool = False,
) -> list[Tuned]:
    """Tune the coefficients of losses with CMA-ES.

    The members of all losses train as one population. The losses do not influence each other.

    Args:
        trees: The losses, with the coefficients to start from.
        evaluator: Gives members their fitness.
        config: Settings of the evolution strategies, one for each loss; by default the paper's.
        seed: The seed of the members.
        log: Keeps the order in which evaluations complete, in which they are then told; None for the order of asking.
        on_evaluation: Called with each evaluation when it is told, and the number of its generation; 0 for the losses
            as they are given.
        on_record: Called at the end of each generation for each loss that took part.
        progress: Show a bar, which ends early where a strategy stops early: a widget in a notebook, elsewhere a line on
            standard error.

    Raises:
        ConfigurationError: A tree lacks x or y, or has a coefficient that is not finite.
        GlojaxError: A device has no memory for a single candidate, or the log is of another search.

    Source: Gonzalez and Miikkulainen (2020), section III-B.
    """
    config = config or TuningConfig()
    strategy = CoefficientSearch(trees, config, seed)
    most = sum(1 + loss.strategy.population_size * config.generations for loss in strategy.losses)
    generation, start = 0, time.perf_counter()

    def take_in(evaluation: Evaluation) -> None:
        nonlocal generation, start
        current, records = generation, list[TuningRecord]()
        if strategy.num_rounds > generation:
            generation, now = strategy.num_rounds, time.perf_counter()
            records, start = [_record(current, loss, now - start) for loss in strategy.active], now
        count(evaluation)
        on_evaluation(evaluation, current)
        for record in records:
            on_record(record)

    with progress_bar(most, progress) as count:
        Search(strategy, evaluator, log=log, on_evaluation=take_in).run()
    return [_tuned(loss) for loss in strategy.losses]


def _record(generation: int, loss: LossTuning, seconds: float) -> TuningRecord:
    assert loss.best is not None
    return TuningRecord.of(
        generation,
        loss.members,
        seconds,
        loss=str(loss.layout.tree),
        best_so_far=loss.best.fitness,
        best_expression=loss.best.expression,
        sigma=loss.strategy.sigma,
        condition_number=loss.strategy.condition_number,
        stop_reason=loss.strategy.stop_reason,
    )


def _tuned(loss: LossTuning) -> Tuned:
    assert loss.start is not None
    assert loss.best is not None
    latest_first = list(loss.found.values())[::-1]
    return Tuned(
        loss=loss.layout.tree,
        start=loss.start,
        best=loss.best,
        found=sorted(latest_first, key=lambda one: rank(one)[0]),
        num_coefficients=len(loss.layout.indices),
        generations=loss.strategy.generation,
        stop_reason=str(loss.strategy.stop_reason),
    )
