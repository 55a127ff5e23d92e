"""Searches of every strategy, one from outside the package among them, with a stand-in that trains."""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache

import pytest

from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.search.logs import Event, EventLog
from glojax.search.loop import Search
from glojax.strategies import (
    CoefficientSearch,
    GenerationalSearch,
    GeneticConfig,
    RandomSearch,
    SteadyStateSearch,
    Strategy,
    TuningConfig,
)
from tests.search.fakes import FakeEvaluator

#: Trees that grow until most have both variables and are trained.
CONFIG = GeneticConfig(population_size=20, num_elites=3, expand_rate=0.1)
BUDGET = 70
TUNED = ("log(y) - x / y", "x * log(y)")


_parsed = cache(LossTree.parse)


class HillClimb:
    """Makes each candidate of the best one that was told by then; at most five are outstanding."""

    def __init__(self) -> None:
        self._num_asked = self._num_outstanding = 0
        self._best = LossTree.parse("x * log(y)"), 0.0

    def ask(self, room: int) -> list[LossTree]:
        asked = []
        for _ in range(min(room, 5 - self._num_outstanding)):
            self._num_asked += 1
            step = ("+ x", "* y", "- log(y)", "/ x")[self._num_asked % 4]
            asked.append(_parsed(f"({self._best[0]}) {step} * {1 + self._num_asked / 8}"))
        self._num_outstanding += len(asked)
        return asked

    def tell(self, tree: LossTree, evaluation: Evaluation) -> None:
        self._num_outstanding -= 1
        if (evaluation.fitness or 0.0) >= self._best[1]:
            self._best = tree, evaluation.fitness or 0.0


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "generational": lambda: GenerationalSearch(CONFIG, 1),
    "steady-state": lambda: SteadyStateSearch(CONFIG, 1),
    "random": lambda: RandomSearch(CONFIG, 1),
    "coefficients": lambda: CoefficientSearch(
        [LossTree.parse(text) for text in TUNED], TuningConfig(generations=4, population_size=5), 1
    ),
    "hill climb": HillClimb,
}
for_every_strategy = pytest.mark.parametrize("name", STRATEGIES)


def by_size(tree: LossTree) -> float | None:
    """Best at 12 nodes; some losses cannot be trained."""
    return None if tree.uses("sqrt") else round(1 / (1 + abs(tree.size - 12)) + sum(tree.coefficients) / 1e3, 6)


def evaluator(room: int, salt: int = 0, trained: Iterable[str] = ()) -> FakeEvaluator:
    """Return a stand-in whose trainings take times of their own, drawn by `salt`."""

    def first(texts: list[str]) -> str:
        return min(texts, key=lambda text: hashlib.sha256(f"{salt} {text}".encode()).digest())

    return FakeEvaluator(by_size, room=room, next_done=first, trained=trained)


def searched(name: str, evaluator: FakeEvaluator, log: EventLog | None = None) -> list[Evaluation]:
    """Search to the end, and return all evaluations in the order of telling."""
    search = Search(STRATEGIES[name](), evaluator, log=log)
    search.run(BUDGET)
    return search.evaluations


def log_of(events: Iterable[Event]) -> EventLog:
    log = EventLog()
    for event in events:
        log.add(event)
    return log
