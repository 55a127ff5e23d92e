"""The results as they are printed at the end of a run."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glojax.expressions import to_latex
from glojax.search.comparison import Accuracies, Comparison
from glojax.search.finalists import Finalist
from glojax.search.tuning import Tuned
from glojax.terminal import print_text


def print_comparison(comparison: Comparison, num_seeds: int, test_split: str, console: Console) -> None:
    """Print the accuracies, and the tests of each loss against the first; `test_split` names the test set."""
    first = comparison.losses[0]
    title = f"Accuracy over {num_seeds} fresh seeds: mean (standard deviation)"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("loss", overflow="fold")
    test = "test" if test_split == "official" else f"{test_split} test"
    for column in ("rate", "validation", test, "Welch p"):
        table.add_column(column, justify="right", no_wrap=True)
    for loss in comparison.losses:
        p_value = None if loss is first else comparison.p_value(first.name, loss.name)
        table.add_row(
            escape(loss.name),
            f"{loss.learning_rate:g}",
            _mean_and_sd(loss.validation_accuracy),
            _mean_and_sd(loss.test_accuracy),
            "" if p_value is None else f"{p_value:.2g}",
        )
    console.print("", table, sep="\n")
    if len(comparison.losses) > 1:
        print_text(f"Welch p: two-tailed t-test of the test accuracies against {first.name}.", console)
    for loss in comparison.losses:
        if loss.non_finite:
            print_text(f"{loss.name}: {loss.non_finite} of {num_seeds} trainings broke off, and count as 0.", console)


def print_tuned(tuned: Sequence[Tuned], console: Console) -> None:
    """Print the result of each loss's tuning."""
    if tuned:
        console.print()
    for one in tuned:
        print_text(
            f"Tuned:            {one.loss}\n"
            f"                  {one.num_coefficients} coefficients, fitness {one.start.fitness or 0:.4f} before and "
            f"{one.best.fitness or 0:.4f} at best; ended by {one.stop_reason}",
            console,
        )


def print_best(
    best: Finalist, console: Console, comparison: Comparison | None = None, test_split: str = "official"
) -> None:
    """Print the loss that was found, as text and LaTeX, with its accuracies."""
    console.print()
    print_text(
        f"Best loss found:  {best.tree}\n"
        f"LaTeX:            {to_latex(best.tree)}\n"
        "                  minimised as minus its sum over the classes; x: label, y: probability of a class\n"
        f"Validation:       {best.fitness or 0:.4f} in the search, {best.mean_accuracy:.4f} on average over "
        "fresh seeds",
        console,
    )
    if comparison is not None:
        first, *others = [(loss.name, loss.test_accuracy.mean) for loss in comparison.losses]
        differences = ", ".join(f"{first[1] - mean:+.4f} against {name}" for name, mean in others)
        test = "Test:" if test_split == "official" else f"{test_split.capitalize()} test:"
        print_text(f"{test:<17} {first[1]:.4f}: {differences}", console)


def _mean_and_sd(accuracies: Accuracies) -> str:
    return f"{accuracies.mean:.4f}" if accuracies.sd is None else f"{accuracies.mean:.4f} ({accuracies.sd:.4f})"
