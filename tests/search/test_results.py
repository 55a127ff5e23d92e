import io
from dataclasses import replace

import pytest
from rich.console import Console

from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.search.comparison import ComparedLoss, Comparison, Scores, WelchTest
from glojax.search.finalists import Finalist
from glojax.search.results import print_best, print_comparison, print_sentence, print_tuned
from glojax.search.tuning import Tuned


def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def lines(console: Console) -> list[str]:
    """What was printed, without empty lines."""
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


def tuned(loss: str, before: float, after: float, num_coefficients: int, stop_reason: str) -> Tuned:
    tree, doubled = LossTree.parse(loss), LossTree.parse(f"2.0*({loss})")
    start, best = Evaluation(tree, before, "trained", 10), Evaluation(doubled, after, "trained", 10)
    return Tuned(tree, start, best, [best], num_coefficients, 3, stop_reason)


def test_each_tuned_loss_is_told_with_its_fitness_before_and_after() -> None:
    shown = console()
    first = tuned("x * log(y)", 0.5, 0.75, 4, "generations: 3")
    second = tuned("log(y)" + " + x * y" * 20, 0.25, 0.25, 62, "stagnation: no better member in 2 generations")
    print_tuned([first, second], shown)
    assert lines(shown) == [
        "Tuned:            x * log(y)",
        "                  4 coefficients, fitness 0.5000 before and 0.7500 at best; ended by generations: 3",
        f"Tuned:            {second.loss}",
        "                  62 coefficients, fitness 0.2500 before and 0.2500 at best; ended by stagnation: "
        "no better member in 2 generations",
    ]


def test_without_a_tuning_nothing_is_said_of_it() -> None:
    shown = console()
    print_tuned([], shown)
    assert isinstance(shown.file, io.StringIO)
    assert shown.file.getvalue() == ""


FINALIST = Finalist(LossTree.parse("2.5*x * log(y)"), 0.75, 0.625, [0.5, 0.75], [1, 2])


def compared(*means: float) -> Comparison:
    names = ("tuned", "discovered", "baikal")
    losses = [
        ComparedLoss(name, "x * y", 0.05, Scores.of([mean]), Scores.of([mean]), 0, [])
        for name, mean in zip(names, means, strict=False)
    ]
    return Comparison(losses, [WelchTest("tuned", name, None) for name in names[1:]])


def test_the_best_loss_is_told_as_text_and_latex_with_its_scores() -> None:
    shown = console()
    print_best(FINALIST, "macro f1", "probability", shown)
    assert lines(shown) == [
        "Best loss found:  2.5*x * log(y)",
        r"LaTeX:            2.5 \, x \, \log\left(y\right)",
        "                  minimised as minus its sum over the classes; x: label, y: probability of a class",
        "Validation:       macro f1 0.6250 on average over fresh seeds, fitness 0.7500 in the search",
    ]


def test_a_best_loss_that_was_compared_is_told_against_all_others() -> None:
    shown = console()
    print_best(FINALIST, "macro f1", "probability", shown, compared(0.9, 0.8, 0.95))
    assert lines(shown)[-1] == "Test:             macro f1 0.9000: +0.1000 against discovered, -0.0500 against baikal"


def test_the_best_loss_is_told_with_a_held_out_test_set() -> None:
    shown = console()
    print_best(FINALIST, "accuracy", "probability", shown, compared(0.9, 0.8), "held-out")
    assert lines(shown)[-1] == "Held-out test:    accuracy 0.9000: +0.1000 against discovered"


def test_a_comparison_has_a_row_for_each_loss_in_order() -> None:
    shown = console()
    print_comparison(compared(0.9, 0.8), 1, "official", "macro f1", 0.0, shown)
    header, first, second, note = (line.split() for line in lines(shown)[-4:])
    assert header == ["loss", "rate", "validation", "test", "Welch", "p"]
    assert first == ["tuned", "0.05", "0.9000", "0.9000"]
    assert second == ["discovered", "0.05", "0.8000", "0.8000"]
    assert " ".join(note) == "Welch p: two-tailed t-test of the test scores against tuned."


def test_a_loss_for_numbers_is_told_as_one_of_target_and_prediction() -> None:
    shown = console()
    print_best(FINALIST, "r2", "real", shown)
    assert lines(shown)[-2].endswith("minimised as minus its sum over the numbers; x: target, y: prediction")


def test_trainings_that_broke_off_are_told_with_what_they_count() -> None:
    comparison = compared(0.9)
    broken = replace(comparison.losses[0], non_finite=2, test=Scores.of([]), validation=Scores.of([]))
    for worst, counted in ((1.0, "count as 1"), (None, "do not count")):
        shown = console()
        print_comparison(Comparison([broken], []), 2, "official", "calibration error", worst, shown)
        title, *_, row, note = lines(shown)
        assert title.startswith("Calibration error over")
        assert row.split() == ["tuned", "0.05", "none", "none"]
        assert note == f"tuned: 2 of 2 trainings broke off, and {counted}."


def test_a_held_out_test_set_is_named() -> None:
    shown = console()
    print_comparison(compared(0.9, 0.8), 1, "held-out", "accuracy", 0.0, shown)
    assert lines(shown)[-4].split()[2:5] == ["validation", "held-out", "test"]


@pytest.mark.parametrize(("is_terminal", "num_lines"), [(True, 3), (False, 1)])
def test_a_sentence_has_a_hanging_indent_on_a_terminal_alone(is_terminal: bool, num_lines: int) -> None:
    console = Console(file=io.StringIO(), width=40, force_terminal=is_terminal)
    print_sentence("Verdict:", "one two three four five six seven -0.1 to +0.2", console)
    assert isinstance(console.file, io.StringIO)
    first, *others = console.file.getvalue().splitlines()
    assert first.startswith("Verdict:          one")
    assert len(others) == num_lines - 1
    assert all(line.startswith(" " * 18) and len(line) <= 40 for line in others)
