"""The results as they are printed at the end of a run."""

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glojax.expressions import Domain, to_latex
from glojax.search.comparison import Comparison, Scores
from glojax.search.finalists import Finalist
from glojax.search.progress import shown
from glojax.search.tuning import Tuned
from glojax.terminal import print_text
from glojax.wording import counted

#: Columns of a terminal from which on the comparison has the validation scores beside those of the test.
_WHOLE_WIDTH = 80

#: Columns in front of what stands behind a label.
_LABEL_WIDTH = 18


def in_words(metric: str) -> str:
    """Return a metric's name for people: "macro f1", "IOU"."""
    return metric.upper() if len(metric) <= 3 else metric.replace("_", " ")


def print_sentence(label: str, sentence: str, console: Console) -> None:
    """Print a sentence behind a label; on a terminal its lines stand below each other."""
    width = max(20, console.width - _LABEL_WIDTH)
    lines = textwrap.wrap(sentence, width, break_on_hyphens=False) if console.is_terminal else [sentence]
    for number, line in enumerate(lines):
        print_text(f"{'' if number else label:<{_LABEL_WIDTH}}{line}", console)


def print_comparison(
    comparison: Comparison, num_seeds: int, test_split: str, metric: str, worst: float | None, console: Console
) -> None:
    """Print the scores, and the tests of each loss against the first; `test_split` names the test set."""
    first = comparison.losses[0]
    title = f"{metric[0].upper()}{metric[1:]} over {counted(num_seeds, 'fresh seed')}: mean (standard deviation)"
    print_text(f"\n{title}", console, wraps=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("loss", overflow="fold")
    test = "test" if test_split == "official" else f"{test_split} test"
    with_validation = console.width >= _WHOLE_WIDTH
    for column in ("rate", *["validation"] * with_validation, test, "Welch p"):
        table.add_column(column, justify="right", no_wrap=True)
    for loss in comparison.losses:
        p_value = None if loss is first else comparison.p_value(first.name, loss.name)
        table.add_row(
            escape(loss.name),
            f"{loss.learning_rate:.3g}",
            *[_mean_and_sd(loss.validation)] * with_validation,
            _mean_and_sd(loss.test),
            "" if p_value is None else f"{p_value:.2g}",
        )
    console.print(table)
    if len(comparison.losses) > 1:
        note = f"Welch p: two-tailed t-test of the test scores against {first.name}."
        print_text(note, console, wraps=True)
    for loss in comparison.losses:
        if loss.non_finite:
            rule = "do not count" if worst is None else f"count as {worst:g}"
            broken_off = f"{loss.non_finite} of {counted(num_seeds, 'training')} broke off"
            print_text(f"{loss.name}: {broken_off}, and {rule}.", console)


def print_tuned(tuned: Sequence[Tuned], console: Console) -> None:
    """Print the result of each loss's tuning."""
    if tuned:
        console.print()
    for one in tuned:
        print_text(
            f"Tuned:            {one.loss}\n"
            f"                  {one.num_coefficients} coefficients, fitness {shown(one.start.fitness)} before and "
            f"{shown(one.best.fitness)} at best; ended by {one.stop_reason}",
            console,
        )


def print_best(
    best: Finalist,
    metric: str,
    domain: Domain,
    console: Console,
    comparison: Comparison | None = None,
    test_split: str = "official",
) -> None:
    """Print the loss that was found, as text and LaTeX, with its scores."""
    variables = "over the classes; x: label, y: probability of a class"
    if domain == "real":
        variables = "over the numbers; x: target, y: prediction"
    console.print()
    rate = "" if best.learning_rate is None else f"Learning rate:    {best.learning_rate:.3g}\n"
    print_text(
        f"Best loss found:  {best.tree}\n"
        f"LaTeX:            {to_latex(best.tree)}\n"
        f"                  minimised as minus its sum {variables}\n"
        f"{rate}"
        f"Validation:       {metric} {shown(best.mean_score)} on average over fresh seeds, fitness "
        f"{shown(best.fitness)} in the search",
        console,
    )
    if comparison is not None:
        first, *others = [(loss.name, loss.test.mean) for loss in comparison.losses]
        known = [(name, mean) for name, mean in others if mean is not None and first[1] is not None]
        differences = ", ".join(f"{shown((first[1] or 0) - mean, '+')} against {name}" for name, mean in known)
        test = "Test:" if test_split == "official" else f"{test_split.capitalize()} test:"
        print_text(f"{test:<17} {metric} {shown(first[1])}: {differences}", console)


def _mean_and_sd(scores: Scores) -> str:
    return shown(scores.mean) if scores.sd is None else f"{shown(scores.mean)} ({scores.sd:.4f})"
