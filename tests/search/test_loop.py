"""The loop under scripted orders of completion, for every strategy; a stand-in trains."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings, strategies as st

from glojax.errors import RunDirectoryError
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.search import loop
from glojax.search.logs import Event, EventLog
from glojax.search.loop import Search
from glojax.strategies import Strategy
from tests.search.searches import BUDGET, CONFIG, STRATEGIES, evaluator, for_every_strategy, log_of, searched

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
@settings(max_examples=4, deadline=None)
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
@settings(max_examples=6, deadline=None)
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
    trainer = evaluator(3)
    monkeypatch.setattr("glojax.search.loop.time.monotonic", lambda: trainer.num_waits)
    search = Search(STRATEGIES["generational"](), trainer)
    search.run(BUDGET, time_limit=0)
    assert (search.evaluations, search.best, trainer.num_waits) == ([], None, 0)
    search.run(BUDGET, time_limit=15)
    assert trainer.num_waits == 15
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
