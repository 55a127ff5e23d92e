import dataclasses
import io

import pytest
from rich.console import Console

from glojax.evaluation import Evaluation, Status
from glojax.search.discovery import GenerationRecord
from glojax.search.progress import Display

RECORD = GenerationRecord(
    generation=1,
    best_fitness=0.91,
    median_fitness=0.25,
    best_expression="log(y) - x / y",
    trained=3,
    non_finite=1,
    lacks_variable=1,
    cached=2,
    candidate_steps=900,
    seconds=2.0,
)


def shown(terminal: bool, record: GenerationRecord = RECORD) -> str:
    """What a search of one generation of seven candidates shows."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    with Display(console) as display:
        display.start_phase("Generation 1", 7)
        statuses: tuple[Status, ...] = (
            *("trained", "trained", "trained", "non_finite"),
            *("lacks_variable", "cached", "cached"),
        )
        for status in statuses:
            display.on_evaluation(Evaluation("x * y", 0.5, status, 300 if status == "trained" else 0))
        display.on_generation(record, 2)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_elsewhere_a_phase_and_a_generation_are_a_line_each() -> None:
    assert shown(terminal=False).splitlines() == [
        "Generation 1: 7 candidates",
        "generation 1/2: best 0.9100, median 0.2500, 3 trained, 2 cached, 2 dead, 450 candidate-steps/s, 2.0 s; "
        "log(y) - x / y",
    ]


def test_a_line_is_not_broken_however_long_the_loss() -> None:
    long = " + ".join(["x * log(y)"] * 30)
    assert len(shown(terminal=False, record=dataclasses.replace(RECORD, best_expression=long)).splitlines()) == 2


def test_a_terminal_shows_the_table_of_generations_in_the_end() -> None:
    *_, header, row = shown(terminal=True).splitlines()
    for name in ("generation", "best", "median", "trained", "cached", "dead", "steps/s", "best loss"):
        assert name in header
    assert row.split() == ["1/2", "0.9100", "0.2500", "3", "2", "2", "450", "log(y)", "-", "x", "/", "y"]


def test_a_terminal_shows_counts_and_speed_while_it_works() -> None:
    text = shown(terminal=True)
    assert "3 trained  2 cached  2 dead" in text
    assert "candidate-steps/s" in text
    assert "7/7" in text


def test_trainings_outside_a_search_have_a_speed_and_no_counts() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Display(console) as display:
        display.start_phase("Comparison", 2)
        display.on_training(300)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "1/2" in text
    assert "candidate-steps/s" in text
    assert "trained" not in text


@pytest.mark.parametrize("terminal", [False, True])
def test_a_generation_may_take_no_time(terminal: bool) -> None:
    # All of it known before: its seconds round to zero.
    record = dataclasses.replace(RECORD, trained=0, cached=7, candidate_steps=0, seconds=0.0)
    assert "log(y) - x / y" in shown(terminal, record)


def test_a_terminal_is_given_back_after_an_error() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    display = Display(console)
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert isinstance(console.file, io.StringIO)
    hide, show = "\x1b[?25l", "\x1b[?25h"
    assert console.file.getvalue().count(hide) == console.file.getvalue().count(show) == 1
