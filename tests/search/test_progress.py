import dataclasses
import io
import re
from itertools import count

import pytest
from rich.console import Console

from glojax.cluster.settings import ClusterProgress
from glojax.evaluation import Evaluation, Status
from glojax.evaluation.journal import recorded_result
from glojax.expressions import LossTree
from glojax.search import progress
from glojax.search.generations import GenerationRecord
from glojax.search.progress import Display
from glojax.search.tuning import TuningRecord

RECORD = GenerationRecord(
    generation=1,
    best_fitness=0.91,
    median_fitness=0.25,
    best_expression="log(y) - x / y",
    trained=3,
    non_finite=1,
    lacks_variable=1,
    crashed=0,
    cached=2,
    candidate_steps=900,
    seconds=2.0,
)
TREE = LossTree.parse("x * y")
#: A training of 300 steps.
RESULT = recorded_result({"scores": {"validation": 0.5}, "finite": True, "steps": 300})
STATUSES: tuple[Status, ...] = ("trained", "trained", "trained", "non_finite", "lacks_variable", "cached", "cached")


@pytest.fixture(autouse=True)
def ordinary_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def shown(terminal: bool, record: GenerationRecord = RECORD) -> str:
    """What a search of one generation of seven candidates shows."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
    with Display(console) as display:
        display.start_phase("Search", 7, "candidates")
        for status in STATUSES:
            if status == "trained":
                display.on_training(RESULT)
            display.on_evaluation(Evaluation(TREE, 0.5, status, 300))
        display.on_generation(record, 2)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


LINE = r" +1/2 +best 0\.9100 +median 0\.2500 +3/7 trained +log\(y\) - x / y"
LONG = dataclasses.replace(RECORD, best_expression=" + ".join(["x * log(y)"] * 30))


def test_elsewhere_a_phase_and_a_generation_are_a_line_each() -> None:
    phase, generation = shown(terminal=False).splitlines()
    assert phase == "Search: 7 candidates"
    assert re.fullmatch(LINE, generation)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_long_loss_is_shown_whole(terminal: bool) -> None:
    assert LONG.best_expression + "\n" in shown(terminal, record=LONG)


def test_a_terminal_shows_a_line_for_each_generation() -> None:
    assert re.search(LINE, shown(terminal=True))


def test_elsewhere_a_long_phase_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    _, *lines, _ = shown(terminal=False).splitlines()
    assert len(lines) == 7
    for done, line in enumerate(lines, start=1):
        assert re.fullmatch(rf"{done} of 7 done, [\d,]+ candidate-steps/s, about 0:00:00 left, best 0\.5000", line)


def test_a_phase_that_takes_longer_than_usual_has_no_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glojax.search.progress.time.perf_counter", count(step=60).__next__)
    console = Console(file=io.StringIO(), width=160)
    display = Display(console)
    display.start_phase("Random shapes", 1, "trainings")
    for _ in range(2):
        display.on_training(RESULT)
    assert isinstance(console.file, io.StringIO)
    assert "2 of 1 done" in console.file.getvalue()
    assert console.file.getvalue().endswith("about 0:00:00 left\n")


def test_a_terminal_shows_counts_and_speed_while_it_works() -> None:
    text = shown(terminal=True)
    assert "3 trained  2 cached  2 dead" in text
    assert "steps/s" in text
    assert "7/7" in text


def test_workers_are_shown_with_what_they_are_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    for terminal in (False, True):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
        with Display(console) as display:
            display.start_phase("Search", 7, "trainings")
            display.on_cluster(ClusterProgress(workers=3, in_flight=2, retries=1))
            display.on_training(RESULT)
        assert isinstance(console.file, io.StringIO)
        assert "3 workers  2 shards in flight  1 retry" in console.file.getvalue()


def test_trainings_outside_a_search_have_a_speed_and_no_counts() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    with Display(console) as display:
        display.start_phase("Comparison", 2, "trainings")
        display.on_training(RESULT)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "1/2" in text
    assert "steps/s" in text
    assert "trained" not in text


@pytest.mark.parametrize("terminal", [False, True])
def test_a_generation_may_take_no_time(terminal: bool) -> None:
    # All of it known before: its seconds round to zero.
    record = dataclasses.replace(RECORD, trained=0, cached=7, candidate_steps=0, seconds=0.0)
    assert "log(y) - x / y" in shown(terminal, record)


def test_a_terminal_is_given_back_after_an_error() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    display = Display(console)
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert isinstance(console.file, io.StringIO)
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert console.file.getvalue().count(hide) == console.file.getvalue().count(show) == 1


TUNING = TuningRecord(
    generation=2,
    loss="log(y) - x / y",
    best_fitness=0.91,
    median_fitness=0.25,
    best_so_far=0.92,
    best_expression="2.0*log(y) - x / y",
    sigma=1.4321,
    condition_number=3.0,
    trained=7,
    non_finite=2,
    lacks_variable=0,
    crashed=0,
    cached=0,
    candidate_steps=2300,
    seconds=2.0,
    stop_reason=None,
)


def shown_of_tuning(*records: TuningRecord, terminal: bool = False) -> str:
    """What a tuning of three generations shows of these."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160)
    with Display(console) as display:
        display.start_phase("Tuning", 28, "candidates")
        for record in records:
            display.on_tuning(record, 3)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


OUTCOME = r"best 0\.9100 +so far 0\.9200 +7/9 trained +log\(y\) - x / y"


def test_elsewhere_a_generation_of_a_tuned_loss_is_a_line() -> None:
    phase, *lines = shown_of_tuning(TUNING, dataclasses.replace(TUNING, loss="x * y")).splitlines()
    assert phase == "Tuning: 28 candidates"
    first, second = lines
    assert re.fullmatch(rf" +2/3 +{OUTCOME}", first)
    assert second.endswith("  x * y")


def test_a_generation_that_could_not_be_trained_has_no_fitness() -> None:
    failed = dataclasses.replace(TUNING, best_fitness=None, median_fitness=None, trained=0, non_finite=9)
    assert re.search(r"2/3 +best none +so far 0\.9200 +0/9 trained", shown_of_tuning(failed))


def test_the_end_of_a_tuning_says_why() -> None:
    ended = dataclasses.replace(TUNING, stop_reason="stagnation: no better member in 21 generations")
    _, _, line, other = shown_of_tuning(ended, dataclasses.replace(TUNING, loss="x * y")).splitlines()
    assert line.strip() == "ends: stagnation: no better member in 21 generations"
    assert "ends" not in other


def test_a_terminal_names_the_generation_at_work() -> None:
    text = shown_of_tuning(TUNING, terminal=True)
    assert re.search(rf"2/3 +{OUTCOME}", text)
    assert "Tuning, generation 3" in text
    assert "Tuning, generation 3" in shown_of_tuning(dataclasses.replace(TUNING, generation=3), terminal=True)


def test_a_budget_in_candidate_steps_is_counted_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    console = Console(file=io.StringIO(), width=160)
    with Display(console) as display:
        display.start_phase("Random shapes", 1000, "candidate-steps")
        display.on_evaluation(Evaluation(TREE, None, "rejected", 0))
        for _ in range(2):
            display.on_evaluation(Evaluation(TREE, 0.5, "trained", 600))
    assert isinstance(console.file, io.StringIO)
    title, first, last = console.file.getvalue().splitlines()
    assert title == "Random shapes: 1,000 candidate-steps"
    assert first.startswith("600 of 1,000 done, ")
    assert last.startswith("1,200 of 1,000 done, ")
    assert "about 0:00:00 left" in last
