"""The asynchronous search under scripted orders of completion, with a stand-in for what trains."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from glojax.genetic import GeneticConfig
from glojax.search.asynchronous import discover_asynchronously
from glojax.search.discovery import GenerationRecord, discover
from hypothesis import given, settings
from hypothesis import strategies as st

from glojax.errors import RunDirectoryError
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.search.events import Event, EventLog
from tests.search.fakes import FakeEvaluator, FakeLog

#: Trees that grow until most have both variables and are trained.
CONFIG = GeneticConfig(population_size=30, num_elites=3, expand_rate=0.1)
GENERATIONS = 3
SEED = 1
BUDGET = GENERATIONS * CONFIG.population_size


def shuffled(salt: int) -> Callable[[list[str]], str]:
    """Which training is done first, as if each took a time of its own, drawn by `salt`."""
    return lambda texts: min(texts, key=lambda text: hashlib.sha256(f"{salt} {text}".encode()).digest())


def by_size(tree: LossTree) -> float:
    return 1 / (1 + abs(tree.size - 12))


def evaluator(room: int, salt: int = 0, trained: Iterable[str] = ()) -> FakeEvaluator:
    return FakeEvaluator(by_size, room=room, next_done=shuffled(salt), trained=trained)


class Search:
    """An asynchronous search with all that it reported, timing aside; it may be ended before the end."""

    def __init__(self, evaluator: FakeEvaluator, log: EventLog, ends_after: int = BUDGET):
        self.evaluations: list[tuple[Evaluation, int]] = []
        self.generations: list[GenerationRecord] = []
        self._ends_after = ends_after
        self.found = discover_asynchronously(
            evaluator,
            CONFIG,
            GENERATIONS,
            SEED,
            log=log,
            on_evaluation=self._on_evaluation,
            on_generation=lambda record: self.generations.append(replace(record, seconds=0.0)),
        )

    def _on_evaluation(self, evaluation: Evaluation, generation: int) -> None:
        if len(self.evaluations) == self._ends_after:
            raise KeyboardInterrupt
        self.evaluations.append((evaluation, generation))

    @property
    def told(self) -> object:
        return self.evaluations, self.generations, self.found


@settings(max_examples=8, deadline=None)
@given(room=st.integers(1, 20), other_room=st.integers(1, 20), salts=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_a_record_that_is_replayed_gives_the_same_run_whatever_the_order(
    room: int, other_room: int, salts: tuple[int, int]
) -> None:
    log = FakeLog()
    trainer = evaluator(room, salts[0])
    first = Search(trainer, log)
    recorded = list(log.events)
    # On more or fewer workers, in another order, and with some of the results lost.
    kept = random.Random(salts[1]).sample(sorted(trainer.trained), len(trainer.trained) // 2)
    assert Search(evaluator(other_room, salts[1], kept), log).told == first.told
    assert list(log.events) == recorded
    assert len(recorded) == 2 * BUDGET


@settings(max_examples=8, deadline=None)
@given(
    room=st.integers(1, 20), salt=st.integers(0, 99), ends_after=st.integers(0, BUDGET - 1), num_lost=st.integers(0, 1)
)
def test_a_search_that_was_interrupted_goes_on_to_the_same_end(
    room: int, salt: int, ends_after: int, num_lost: int
) -> None:
    whole, torn, log = FakeLog(), FakeLog(), FakeLog()
    undisturbed = Search(evaluator(room, salt), whole)
    interrupted = evaluator(room, salt)
    with pytest.raises(KeyboardInterrupt):
        Search(interrupted, torn, ends_after)
    assert sum(event.kind == "back" for event in torn.events) == ends_after + 1
    # The last training may be done, though it is not said that it is.
    for event in torn.events[: len(torn.events) - num_lost]:
        log.add(event)
    assert Search(evaluator(room, salt, interrupted.trained), log).told == undisturbed.told
    assert log.events == whole.events


def test_what_was_trained_but_not_recorded_completes_anew_and_is_recorded() -> None:
    log = FakeLog()
    undisturbed = evaluator(4, 0)
    Search(undisturbed, FakeLog())
    with pytest.raises(KeyboardInterrupt):
        Search(evaluator(4, 0), log, ends_after=50)
    # All that the head would have asked for is there already.
    resumed = Search(evaluator(2, 1, undisturbed.trained), log)
    assert len(log.events) == 2 * BUDGET
    assert Search(evaluator(3, 2), log).told == resumed.told


def test_the_order_of_completion_decides_what_is_bred() -> None:
    searches = [Search(evaluator(4, salt), FakeLog()) for salt in (0, 1)]
    assert searches[0].found != searches[1].found
    assert min(search.generations[-1].trained for search in searches) > 0


def test_one_worker_begins_with_the_generation_of_the_default_mode() -> None:
    generational: list[tuple[Evaluation, int]] = []
    discover(
        *(evaluator(1), CONFIG, 1, SEED),
        on_evaluation=lambda evaluation, generation: generational.append((evaluation, generation)),
        on_generation=lambda record: None,
    )
    assert Search(evaluator(1), FakeLog()).evaluations[:30] == generational


def test_generations_are_summed_up_by_population_and_number_of_evaluations() -> None:
    search = Search(evaluator(5), FakeLog())
    assert Counter(generation for _, generation in search.evaluations) == {1: 30, 2: 30, 3: 30}
    assert [record.generation for record in search.generations] == [1, 2, 3]
    best = 0.0
    for record in search.generations:
        mine = [evaluation for evaluation, generation in search.evaluations if generation == record.generation]
        counts = Counter(evaluation.status for evaluation in mine)
        assert (record.trained, record.cached) == (counts["trained"], counts["cached"])
        best = max(best, *(evaluation.fitness for evaluation in mine))
        # The elites stay.
        assert record.best_fitness == best
        assert best >= record.median_fitness >= 0


def test_a_candidate_is_drawn_when_a_worker_is_free_and_not_before() -> None:
    log = FakeLog()
    search = Search(evaluator(3), log)
    num_out, most_out = 0, 0
    for kind, _ in log.events:
        num_out += 1 if kind == "drawn" else -1
        most_out = max(most_out, num_out)
    num_cached = sum(evaluation.status == "cached" for evaluation, _ in search.evaluations)
    # Three are trained at once; others wait only where they are equal to one of these.
    assert 3 <= most_out <= 3 + num_cached
    assert num_out == 0


@pytest.mark.parametrize(
    "events",
    [
        # Nobody is bred before the random population is back.
        [Event("drawn", number) for number in range(CONFIG.population_size + 1)],
        # More than the budget.
        [event for number in range(BUDGET + 1) for event in (Event("drawn", number), Event("back", number))],
    ],
)
def test_a_record_of_another_search_is_refused(events: list[Event]) -> None:
    log = FakeLog()
    for event in events:
        log.add(event)
    with pytest.raises(
        RunDirectoryError, match=r"events.jsonl does not fit the search, which has no candidate \d+ to draw"
    ):
        Search(evaluator(100), log)
