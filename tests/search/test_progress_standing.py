"""What a search shows of its best candidate against cross-entropy, and of the time left, at any width."""

import io
from itertools import count

import pytest
from rich.console import Console

from glojax.evaluation import Evaluation
from glojax.evaluation.journal import recorded_result
from glojax.expressions import LossTree
from glojax.search import progress
from glojax.search.generations import GenerationRecord
from glojax.search.progress import Display

TREE = LossTree.parse("x * log(y) - 2 * y")
#: As large as the numbers of a long search become.
RECORD = GenerationRecord(
    generation=100,
    best_fitness=0.9750,
    median_fitness=0.25,
    best_expression=str(TREE),
    trained=38,
    non_finite=1,
    lacks_variable=0,
    crashed=0,
    cached=0,
    rejected=1,
    candidate_steps=900,
    seconds=2.0,
)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute passes whenever somebody looks."""
    monkeypatch.setattr("glojax.search.progress.time.perf_counter", count(step=60).__next__)
    monkeypatch.setenv("TERM", "xterm")


def begin(width: int, *, terminal: bool = True, quiet: bool = False, rival: float | None = 0.966) -> Display:
    """Begin a search of four candidates."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, no_color=True, quiet=quiet)
    display = Display(console)
    if rival is not None:
        display.show_rival(rival, 0.45)
    display.start_phase("Search", 4, "candidates")
    return display


def evaluate(display: Display, *fitness: float | None) -> None:
    for each in fitness:
        display.on_training(recorded_result({"scores": {"validation": 0.5}, "finite": True, "steps": 300}))
        display.on_evaluation(Evaluation(TREE, each, "trained", 300))


def rows(display: Display) -> list[str]:
    """What is seen below the lines that stay."""
    console = Console(file=io.StringIO(), width=display._console.width)
    console.print(display._render())
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def lines(display: Display) -> list[str]:
    """The lines that stay."""
    assert isinstance(display._console.file, io.StringIO)
    return display._console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_best_stands_against_cross_entropy(width: int) -> None:
    display = begin(width)
    evaluate(display, 0.5, 0.9769, None)
    bar, time_left, standing, counts, last = rows(display)
    assert bar.startswith("Search ")
    assert bar.endswith(" 3/4")
    assert time_left == "0:04:00 elapsed, about 0:01:20 left of this phase"
    assert standing == "best 0.9769, +0.0109 against cross-entropy at its best rate"
    assert counts.endswith("candidate-steps/s  3 trained  0 cached  0 dead")
    assert last == f"last none  {TREE}"


def test_a_search_that_does_not_know_cross_entropy_shows_its_best() -> None:
    for display in (begin(60, rival=None), begin(60, rival=float("-inf"))):
        evaluate(display, 0.9769)
        assert rows(display)[2] == "best 0.9769"


def test_lines_elsewhere_have_the_best_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    display = begin(60, terminal=False)
    evaluate(display, 0.95)
    rival, phase, line = lines(display)
    assert rival == "cross_entropy: fitness 0.9660 at its best rate 0.45; differences from it follow in parentheses"
    assert phase == "Search: 4 candidates"
    assert line.startswith("1 of 4 done, ")
    assert line.endswith("left, best 0.9500, -0.0160 against cross-entropy at its best rate")


def test_finalists_are_chosen_in_view_of_the_best() -> None:
    display = begin(60)
    evaluate(display, 0.9769)
    display.start_phase("Finalists", 4, "trainings", "2 losses")
    assert [row for row in rows(display) if row.startswith(("best", "training"))] == [
        "best 0.9769, +0.0109 against cross-entropy at its best rate",
        "training 2 losses",
    ]
    display.start_phase("Random shapes", 1000, "candidate-steps")
    assert not any(row.startswith("best") for row in rows(display))


def test_long_losses_leave_a_row_a_row() -> None:
    display = begin(60)
    display.start_phase("Comparison", 4, "trainings", ", ".join(["cross\r_entropy"] * 8))
    assert [len(row) <= 60 for row in rows(display)] == [True] * 3
    assert rows(display)[-1].startswith("training cross\\r_entropy, ")
    assert rows(display)[-1].endswith("…")


@pytest.mark.parametrize(("width", "terminal", "num_lines"), [(60, True, 2), (120, True, 1), (60, False, 1)])
def test_a_narrow_terminal_has_the_loss_of_a_generation_below_its_figures(
    width: int, terminal: bool, num_lines: int
) -> None:
    display = begin(width, terminal=terminal)
    before = len(lines(display))
    display.on_generation(RECORD, 120)
    shown = lines(display)[before:]
    assert len(shown) == num_lines
    assert max(map(len, shown)) <= (60 if num_lines == 2 else 120)
    assert " ".join(" ".join(shown).split()) == f"100/120 best 0.9750 (+0.0090) median 0.2500 38/40 trained {TREE}"


def test_a_quiet_display_shows_nothing() -> None:
    for terminal in (False, True):
        display = begin(60, terminal=terminal, quiet=True)
        with display:
            evaluate(display, 0.5)
            display.on_generation(RECORD, 120)
        assert lines(display) == []
