"""The loop under scripted orders of completion, for every strategy; a stand-in trains."""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from glojax.errors import ConfigurationError, RunDirectoryError
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree, canonical
from glojax.search import loop
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
            asked.append(LossTree.parse(f"({self._best[0]}) {step} * {1 + self._num_asked / 8}"))
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


rooms, salts = st.integers(1, 12), st.integers(0, 99)


@for_every_strategy
def test_in_the_order_of_asking_all_rooms_and_orders_of_completion_give_the_same(name: str) -> None:
    first = searched(name, evaluator(1))
    half = random.Random(0).sample(sorted({one.expression for one in first}), 10)
    assert searched(name, evaluator(4, salt=1)) == first
    assert searched(name, evaluator(30, salt=2, trained=half)) == first
    assert len(first) == (2 + 4 * 10 if name == "coefficients" else BUDGET)
    assert {one.status for one in first} >= {"trained"}


@for_every_strategy
@settings(max_examples=6, deadline=None)
@given(room=rooms, other_room=rooms, salts=st.tuples(salts, salts))
def test_a_log_is_replayed_to_the_same_search_whatever_the_order(
    name: str, room: int, other_room: int, salts: tuple[int, int]
) -> None:
    log, trainer = EventLog(), evaluator(room, salts[0])
    first = searched(name, trainer, log)
    recorded = list(log.events)
    # On more or fewer workers, in another order, and with some of the results lost.
    kept = random.Random(salts[1]).sample(sorted(trainer.trained), len(trainer.trained) // 2)
    assert searched(name, evaluator(other_room, salts[1], kept), log) == first
    assert list(log.events) == recorded
    assert len(recorded) == 2 * len(first)


class TornLog(EventLog):
    """A log that is interrupted once it has so many events, before or after the event is recorded."""

    def __init__(self, ends_after: int, is_recorded: bool):
        super().__init__()
        self._ends_after, self._is_recorded = ends_after, is_recorded

    def add(self, event: Event) -> None:
        is_time = len(self.events) == self._ends_after
        if not is_time or self._is_recorded:
            super().add(event)
        if is_time:
            raise KeyboardInterrupt


@for_every_strategy
@settings(max_examples=12, deadline=None)
@given(room=rooms, salt=salts, ends_after=st.integers(0, 2 * BUDGET - 1), is_recorded=st.booleans())
def test_a_search_that_was_interrupted_at_any_event_goes_on_to_the_same_end(
    name: str, room: int, salt: int, ends_after: int, is_recorded: bool
) -> None:
    whole, torn = EventLog(), TornLog(ends_after, is_recorded)
    undisturbed = searched(name, evaluator(room, salt), whole)
    interrupted = evaluator(room, salt)
    if ends_after < len(whole.events):
        with pytest.raises(KeyboardInterrupt):
            searched(name, interrupted, torn)
        assert interrupted.num_cancelled == 1
        assert len(torn.events) == ends_after + is_recorded
    log = log_of(torn.events)
    resumed = searched(name, evaluator(room, salt, interrupted.trained), log)
    around = [event.kind for event in whole.events[len(torn.events) - 1 : len(torn.events) + 1]]
    if around != ["asked", "asked"]:
        assert (resumed, log.events) == (undisturbed, whole.events)
    else:  # It was asked for several at once, and is asked for the others later.
        assert log.events[: len(torn.events)] == torn.events
        assert searched(name, evaluator(1), log) == resumed


@for_every_strategy
def test_trainings_that_were_done_but_not_recorded_complete_anew_and_are_recorded(name: str) -> None:
    undisturbed, log = evaluator(4), EventLog()
    searched(name, undisturbed)
    with pytest.raises(KeyboardInterrupt):
        searched(name, evaluator(4), torn := TornLog(40, is_recorded=True))
    # The results of all candidates that would have been asked for are known already.
    log = log_of(torn.events)
    resumed = searched(name, evaluator(2, 1, undisturbed.trained), log)
    assert list(log.events[:41]) == list(torn.events)
    assert searched(name, evaluator(3, 2), log) == resumed


def test_the_order_of_completion_decides_what_is_bred() -> None:
    first, second = (searched("steady-state", evaluator(4, salt), EventLog()) for salt in (0, 1))
    assert {one.tree for one in first} != {one.tree for one in second}


@for_every_strategy
@pytest.mark.parametrize("is_asynchronous", [False, True])
@pytest.mark.parametrize("room", [1, 5])
def test_an_exception_in_a_callback_loses_nothing_and_the_search_goes_on(
    name: str, is_asynchronous: bool, room: int
) -> None:
    undisturbed = searched(name, evaluator(room), EventLog() if is_asynchronous else None)
    told: list[Evaluation] = []

    def fail(evaluation: Evaluation) -> None:
        told.append(evaluation)
        if len(told) in (1, 2, 30):
            raise ZeroDivisionError

    trainer, log = evaluator(room), EventLog() if is_asynchronous else None
    search = Search(STRATEGIES[name](), trainer, log=log, on_evaluation=fail)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            search.run(BUDGET - len(told))
    search.run(BUDGET - len(told))
    assert search.evaluations == told == undisturbed
    assert trainer.num_cancelled == 3


def test_a_time_limit_ends_the_search_which_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = searched("generational", evaluator(3))
    now = 0
    trainer = evaluator(3)
    wait = trainer.wait

    def slow_wait() -> Any:
        nonlocal now
        now += 1
        return wait()

    monkeypatch.setattr("glojax.search.loop.time.monotonic", lambda: now)
    monkeypatch.setattr(trainer, "wait", slow_wait)
    search = Search(STRATEGIES["generational"](), trainer)
    search.run(BUDGET, time_limit=0)
    assert (search.evaluations, search.best, now) == ([], None, 0)
    search.run(BUDGET, time_limit=15)
    assert now == 15
    num_told = len(search.evaluations)
    assert 0 < num_told < BUDGET
    search.run(BUDGET - num_told, time_limit=1e9)
    assert search.evaluations == undisturbed


@for_every_strategy
@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_no_more_is_begun_than_the_budget(name: str, is_asynchronous: bool) -> None:
    trainer, log = evaluator(4), EventLog() if is_asynchronous else None
    search = Search(STRATEGIES[name](), trainer, log=log)
    for total in (7, 8, 42):
        search.run(total - len(search.evaluations))
        assert len(search.evaluations) == sum(trainer.calls) == total


def test_a_strategy_that_has_come_to_its_end_ends_the_search() -> None:
    search = Search(STRATEGIES["coefficients"](), evaluator(3))
    search.run()
    assert len(search.evaluations) == 2 + 4 * 10
    search.run()
    assert len(search.evaluations) == 2 + 4 * 10


class Watched:
    """A strategy that checks the room."""

    def __init__(self, strategy: Strategy, limit: Callable[[int], int]):
        self._strategy, self._limit = strategy, limit
        self._num_outstanding = 0

    def ask(self, room: int) -> Sequence[LossTree]:
        assert 1 <= room <= self._limit(self._num_outstanding)
        trees = self._strategy.ask(room)
        assert len(trees) <= room
        self._num_outstanding += len(trees)
        return trees

    def tell(self, tree: LossTree, evaluation: Evaluation) -> None:
        self._num_outstanding -= 1
        self._strategy.tell(tree, evaluation)


@for_every_strategy
@pytest.mark.parametrize("room", [0, 1, 6])
def test_a_strategy_is_asked_for_no_more_than_there_is_room_for(
    name: str, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = evaluator(room)
    # Without anything outstanding it is asked for one.
    watched = Watched(STRATEGIES[name](), lambda num_outstanding: max(trainer.room, not num_outstanding))
    search = Search(watched, trainer, log=EventLog())
    search.run(40)
    assert len(search.evaluations) == 40
    monkeypatch.setattr(loop, "LOOKAHEAD", 8)
    search = Search(Watched(STRATEGIES[name](), lambda num_outstanding: 8 - num_outstanding), evaluator(room))
    search.run(40)
    assert len(search.evaluations) == 40


def evaluation_of(tree: LossTree) -> Evaluation:
    return Evaluation(canonical(tree), by_size(tree), "trained", 1)


@for_every_strategy
@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_a_search_by_hand_tells_in_the_order_of_asking_or_with_a_log_as_it_is_told(
    name: str, is_asynchronous: bool
) -> None:
    log = EventLog() if is_asynchronous else None
    search = Search(STRATEGIES[name](), evaluator(1), log=log)
    expected: list[Evaluation] = []
    while len(expected) < 30:
        trees = search.ask(4)
        assert 1 <= len(trees) <= 4
        evaluations = [evaluation_of(tree) for tree in trees]
        for tree, evaluation in list(zip(trees, evaluations, strict=True))[::-1]:
            search.tell(tree, evaluation)
        expected += evaluations[::-1] if is_asynchronous else evaluations
    assert search.evaluations == expected
    if log is None:
        return
    # The same by hand from the log: never more than was asked for, nor more than the log has.
    again = Search(STRATEGIES[name](), evaluator(1), log=log_of(log.events))
    while len(again.evaluations) < len(expected):
        asked = again.ask(3)
        assert len(asked) <= 3
        for tree in asked:
            again.tell(tree, evaluation_of(tree))
    assert again.evaluations == expected


def test_a_search_by_hand_and_one_by_itself_can_take_turns() -> None:
    search = Search(STRATEGIES["random"](), evaluator(2))
    first, second, third = search.ask(3)
    search.tell(second, evaluation_of(second))
    assert search.evaluations == []
    search.run(10)
    assert [one.tree for one in search.evaluations[:3]] == [canonical(tree) for tree in (first, second, third)]
    assert len(search.evaluations) == 10


def test_a_candidate_is_told_once_and_only_if_it_was_asked_for() -> None:
    search = Search(RandomSearch(CONFIG, 1, initial=[LossTree.parse("x * y")] * 2), evaluator(1))
    tree, _, other = search.ask(3)
    with pytest.raises(ConfigurationError, match=r"x / y is not outstanding; tell a candidate that `ask` gave, once"):
        search.tell(LossTree.parse("x / y"), evaluation_of(tree))
    for _ in range(2):
        search.tell(tree, evaluation_of(tree))
    with pytest.raises(ConfigurationError, match=r"x \* y is not outstanding"):
        search.tell(tree, evaluation_of(tree))
    search.tell(other, evaluation_of(other))
    assert len(search.evaluations) == 3


def test_the_best_comes_first_and_of_equals_the_smaller_then_the_earlier() -> None:
    texts = ("log(y)", "x * y^2", "x * y", "x * sqrt(y)", "y * x", "x - y")
    search = Search(RandomSearch(CONFIG, 1, initial=[LossTree.parse(text) for text in texts]), FakeEvaluator())
    assert search.best is None
    search.run(1)
    assert search.best is None
    search.run(5)
    assert [one.expression for one in search.found] == ["x * y", "x - y", "x * y^2", "x * sqrt(y)", "log(y)"]
    assert search.best == search.found[0]


@pytest.mark.parametrize(
    "events",
    [
        # Nothing is bred before the random population is evaluated.
        [Event("asked", number) for number in range(CONFIG.population_size + 1)],
        # More are outstanding than the budget allows.
        [Event("asked", number) for number in range(BUDGET + 1)],
        [
            *(event for number in range(BUDGET - 1) for event in (Event("asked", number), Event("told", number))),
            *(Event("asked", number) for number in (BUDGET - 1, BUDGET)),
        ],
    ],
    ids=["bred too early", "more at once", "more in the end"],
)
@pytest.mark.parametrize("name", ["generational", "steady-state"])
def test_the_log_of_another_search_is_refused(name: str, events: list[Event]) -> None:
    with pytest.raises(
        RunDirectoryError, match=r"event log does not fit the search, which has no candidate \d+ to ask"
    ):
        searched(name, evaluator(100), log_of(events))


def test_the_log_of_a_longer_search_is_replayed_as_far_as_the_budget() -> None:
    log = EventLog()
    longer = Search(STRATEGIES["steady-state"](), evaluator(1), log=log)
    longer.run(BUDGET + 10)
    recorded = list(log.events)
    search = Search(STRATEGIES["steady-state"](), evaluator(3, 1), log=log)
    search.run(BUDGET)
    assert search.evaluations == longer.evaluations[:BUDGET]
    assert list(log.events) == recorded
    search.run(10)
    assert search.evaluations == longer.evaluations
