"""Discovery without generations: a new candidate whenever a device or a worker is free."""

import time
from collections.abc import Callable

import numpy as np

from glojax.errors import RunDirectoryError
from glojax.evaluation import Evaluation, Evaluator
from glojax.expressions import LossTree
from glojax.genetic import GeneticConfig, SteadyState
from glojax.search.completions import FILE, Completion, CompletionLog
from glojax.search.discovery import Discovered, GenerationRecord, best_first, summary


def discover_asynchronously(
    evaluator: Evaluator,
    config: GeneticConfig,
    num_generations: int,
    seed: int,
    *,
    log: CompletionLog,
    on_evaluation: Callable[[Evaluation, int], None],
    on_generation: Callable[[GenerationRecord], None],
) -> list[Discovered]:
    """Search for loss functions with the steady-state genetic algorithm, as many candidates as `discover` evaluates.

    A generation is `config.population_size` candidates that came back, one after the other; it is summed up by the best
    and the median of the population at its end. The order in which candidates come back decides what is bred: it is
    kept in `log`. What the log holds already is done again in its order, whatever order evaluations come in now; then
    the search goes on from there.

    Args:
        evaluator: Gives candidates their fitness.
        config: Of the genetic algorithm.
        num_generations: At least 1.
        seed: Of the genetic algorithm.
        log: The order in which candidates came back.
        on_evaluation: Called with each evaluation in this order, and the number of its generation.
        on_generation: Called at the end of each generation.

    Returns:
        Every distinct loss function evaluated, the best first; of equally fit ones the smaller, then the earlier.

    Raises:
        RunDirectoryError: The log is of another search.
        OSError: The log cannot be written.
    """
    search = _Search(config, num_generations, seed, log, on_evaluation, on_generation)
    evaluator.evaluate_drawn(search.draw, search.receive)
    search.require_end()
    return best_first(search.found.values())


class _Search:
    """Draws candidates, and takes them in when it is their turn."""

    def __init__(
        self,
        config: GeneticConfig,
        num_generations: int,
        seed: int,
        log: CompletionLog,
        on_evaluation: Callable[[Evaluation, int], None],
        on_generation: Callable[[GenerationRecord], None],
    ):
        self.found: dict[str, Discovered] = {}
        self._population = SteadyState(config, np.random.default_rng(seed))
        self._size = config.population_size
        self._budget = num_generations * config.population_size
        self._log = log
        self._recorded = list(log.completions)
        self._on_evaluation, self._on_generation = on_evaluation, on_generation
        self._taken: dict[int, Evaluation] = {}
        self._early: dict[int, Evaluation] = {}
        self._generation: list[Evaluation] = []
        self._start = time.perf_counter()

    def draw(self) -> LossTree | None:
        """The next candidate; None where the record, or the budget, has none before another is taken in."""
        self._go_on()
        recorded = self._next_recorded
        most = self._budget if recorded is None else min(recorded.drawn, self._budget)
        return self._population.draw() if self._population.num_drawn < most else None

    def receive(self, candidate: int, evaluation: Evaluation) -> None:
        """Remember a candidate that is back; its turn may have to come."""
        self._early[candidate] = evaluation
        self._go_on()

    def _go_on(self) -> None:
        """Take in whoever is back and has its turn."""
        while self._early:
            recorded = self._next_recorded
            if recorded is None:
                first = next(iter(self._early))
                self._log.add(Completion(first, self._population.num_drawn))
                self._take_in(first)
            elif recorded.candidate in self._early and recorded.drawn == self._population.num_drawn:
                self._take_in(recorded.candidate)
            else:
                return

    def require_end(self) -> None:
        """Raise RunDirectoryError unless the whole budget is spent, and nothing more is recorded."""
        if not len(self._taken) == self._budget >= len(self._recorded):
            raise RunDirectoryError(
                f"{FILE} does not fit the search, which ends after {len(self._taken)} of {self._budget} candidates: "
                "restore it, or start anew in another folder."
            )

    @property
    def _next_recorded(self) -> Completion | None:
        number = len(self._taken)
        return self._recorded[number] if number < len(self._recorded) else None

    def _take_in(self, candidate: int) -> None:
        evaluation = self._taken[candidate] = self._early.pop(candidate)
        generation = (len(self._taken) - 1) // self._size + 1
        self._on_evaluation(evaluation, generation)
        self.found.setdefault(evaluation.expression, Discovered(evaluation, generation))
        self._population.add(candidate, evaluation.fitness)
        self._generation.append(evaluation)
        if len(self._generation) == self._size:
            population = [self._taken[member] for member in self._population.members]
            now = time.perf_counter()
            self._on_generation(summary(generation, population, self._generation, now - self._start))
            self._generation, self._start = [], now
