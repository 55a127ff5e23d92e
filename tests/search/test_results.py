import io

from rich.console import Console

from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from glojax.search.comparison import Accuracies, ComparedLoss, Comparison, WelchTest
from glojax.search.finalists import Finalist
from glojax.search.results import print_best, print_comparison, print_tuned
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
        ComparedLoss(name, "x * y", 0.05, Accuracies.of([mean]), Accuracies.of([mean]), 0, [])
        for name, mean in zip(names, means, strict=False)
    ]
    return Comparison(losses, [WelchTest("tuned", name, None) for name in names[1:]])


def test_the_best_loss_is_told_as_text_and_latex_with_its_accuracies() -> None:
    shown = console()
    print_best(FINALIST, shown)
    assert lines(shown) == [
        "Best loss found:  2.5*x * log(y)",
        r"LaTeX:            2.5 \, x \, \log\left(y\right)",
        "                  minimised as minus its sum over the classes; x: label, y: probability of a class",
        "Validation:       0.7500 in the search, 0.6250 on average over fresh seeds",
    ]


def test_a_best_loss_that_was_compared_is_told_against_all_others() -> None:
    shown = console()
    print_best(FINALIST, shown, compared(0.9, 0.8, 0.95))
    assert lines(shown)[-1] == "Test:             0.9000: +0.1000 against discovered, -0.0500 against baikal"


def test_the_best_loss_is_told_with_a_held_out_test_set() -> None:
    shown = console()
    print_best(FINALIST, shown, compared(0.9, 0.8), "held-out")
    assert lines(shown)[-1] == "Held-out test:    0.9000: +0.1000 against discovered"


def test_a_comparison_has_a_row_for_each_loss_in_order() -> None:
    shown = console()
    print_comparison(compared(0.9, 0.8), 1, "official", shown)
    header, first, second, note = (line.split() for line in lines(shown)[-4:])
    assert header == ["loss", "rate", "validation", "test", "Welch", "p"]
    assert first == ["tuned", "0.05", "0.9000", "0.9000"]
    assert second == ["discovered", "0.05", "0.8000", "0.8000"]
    assert " ".join(note) == "Welch p: two-tailed t-test of the test accuracies against tuned."


def test_a_held_out_test_set_is_named() -> None:
    shown = console()
    print_comparison(compared(0.9, 0.8), 1, "held-out", shown)
    assert lines(shown)[-4].split()[2:5] == ["validation", "held-out", "test"]
