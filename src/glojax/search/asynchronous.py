"""Discovery without generations: a new candidate whenever a device or a worker is free."""

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from glojax.errors import RunDirectoryError
from glojax.evaluation import Evaluation, Evaluator
from glojax.expressions import LossTree
from glojax.genetic import GeneticConfig, SteadyState
from glojax.search.discovery import Discovered, GenerationRecord, best_first, summary
from glojax.search.events import FILE, Event, EventLog


def discover_asynchronously(
    evaluator: Evaluator,
    config: GeneticConfig,
    num_generations: int,
    seed: int,
    *,
    log: EventLog,
    on_evaluation: Callable[[Evaluation, int], None],
    on_generation: Callable[[GenerationRecord], None],
) -> list[Discovered]:
    """Search for loss functions with the steady-state genetic algorithm, as many candidates as `discover` evaluates.

    A generation is `config.population_size` candidates that came back, one after the other; it is summed up by the best
    and the median of the population at its end. What is bred depends on the order in which candidates are drawn and
    come back: it is kept in `log`. What the log holds already is done again in its order, whatever order evaluations
    come in now; then the search goes on from there.

    Args:
        evaluator: Gives candidates their fitness.
        config: Of the genetic algorithm.
        num_generations: At least 1.
        seed: Of the genetic algorithm.
        log: What happened, in its order.
        on_evaluation: Called with each evaluation when its candidate comes back, and the number of its generation.
        on_generation: Called at the end of each generation.

    Returns:
        Every distinct loss function evaluated, the best first; of equally fit ones the smaller, then the earlier.

    Raises:
        RunDirectoryError: The log is of another search.
        OSError: The log cannot be written.
    """
    search = _Search(config, num_generations, seed, log, on_evaluation, on_generation)
    evaluator.evaluate_drawn(search.draw, search.receive)
    return best_first(search.found.values())


class _Search:
    """Draws candidates, and takes them in when it is their turn."""

    def __init__(
        self,
        config: GeneticConfig,
        num_generations: int,
        seed: int,
        log: EventLog,
        on_evaluation: Callable[[Evaluation, int], None],
        on_generation: Callable[[GenerationRecord], None],
    ):
        self.found: dict[str, Discovered] = {}
        self._population = SteadyState(config, np.random.default_rng(seed))
        self._size = config.population_size
        self._budget = num_generations * config.population_size
        self._log = log
        self._replayed = deque(log.events)
        self._on_evaluation, self._on_generation = on_evaluation, on_generation
        self._taken: dict[int, Evaluation] = {}
        self._early: dict[int, Evaluation] = {}
        self._generation: list[Evaluation] = []
        self._start = time.perf_counter()

    def draw(self) -> LossTree | None:
        """The next candidate; None where the log, or the budget, has none before another is back."""
        self._go_on()
        if self._replayed and self._replayed[0].kind != "drawn":
            return None
        number = self._population.num_drawn
        drawn = self._population.draw() if number < self._budget else None
        if drawn is not None:
            self._happens(Event("drawn", number))
        elif self._replayed:
            raise RunDirectoryError(
                f"{FILE} does not fit the search, which has no candidate {number} to draw after {len(self._taken)} "
                "came back: restore it, or start anew in another folder."
            )
        return drawn

    def receive(self, candidate: int, evaluation: Evaluation) -> None:
        """Remember a candidate that is back; its turn may have to come."""
        self._early[candidate] = evaluation
        self._go_on()

    def _go_on(self) -> None:
        """Take in whoever is back and has its turn."""
        while self._early:
            event = self._replayed[0] if self._replayed else Event("back", next(iter(self._early)))
            if event.kind == "drawn" or event.candidate not in self._early:
                return
            self._happens(event)
            self._take_in(event.candidate)

    def _happens(self, event: Event) -> None:
        if self._replayed:
            self._replayed.popleft()
        else:
            self._log.add(event)

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
