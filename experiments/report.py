"""The report of an experiment: Markdown tables, and the statistics in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from experiments.records import Records
from experiments.style import LABELS
from experiments.trainings import Training
from glojax.search.verdict import Verdict

#: The cell of a table without a record.
NOT_RUN = "not yet run"


class Paired(NamedTuple):
    """A difference of the scores of two losses in pairs of trainings, its 95 % interval and its p-value, if defined."""

    difference: float
    interval: tuple[float, float]
    p: float | None


@dataclass(frozen=True)
class Report:
    """Tables and remarks in Markdown, and a figure."""

    text: str
    figure: Figure | None = None


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown; None is an empty cell."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |\n" for line in lines)


def mean_and_sd(values: Sequence[float]) -> str:
    """Return the mean and, of two values or more, their sample standard deviation."""
    if not values:
        return NOT_RUN
    mean = f"{np.mean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} (sd {np.std(values, ddof=1):.4f})"


def accuracy_in_words(value: float | None) -> str:
    """Return an accuracy as the cell of a table."""
    return NOT_RUN if value is None else f"{value:.4f}"


def seeds_in_words(*values: Sequence[float]) -> str:
    """Return the number of values of each; a single number if all have the same."""
    numbers = [str(len(each)) for each in values]
    return numbers[0] if len(set(numbers)) == 1 else " / ".join(numbers)


def gain_in_words(before: Sequence[float], after: Sequence[float]) -> str | None:
    """Return the difference of the means and, of two values or more each, Welch's confidence interval of 95 %."""
    if not before or not after:
        return None
    gain = f"{np.mean(after) - np.mean(before):+.4f}"
    if welch_p(before, after) is None:
        return gain
    interval = stats.ttest_ind(after, before, equal_var=False).confidence_interval(0.95)
    return f"{gain} ({interval.low:+.4f} to {interval.high:+.4f})"


def broken_off_in_words(records: Records, trainings: Iterable[Training]) -> str:
    """Return a sentence on the trainings, of any seed, whose loss did not stay finite."""
    broken = [
        f"{LABELS.get(training.loss, training.loss)} with seed {seed} ({training.name})"
        for training in trainings
        for seed in records.broken_off(training)
    ]
    return (
        "A training whose loss does not stay finite counts with an accuracy of 0 (the paper leaves it out): "
        f"{', '.join(broken) or 'none did so here'}."
    )


def welch_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the p-value of a two-tailed Welch t-test; None if it is undefined, for one value or constant ones."""
    if min(len(first), len(second)) < 2 or np.ptp(first) == np.ptp(second) == 0:
        return None
    moments = [(np.mean(values), np.std(values, ddof=1), len(values)) for values in (first, second)]
    return float(stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False).pvalue)


def p_in_words(first: Sequence[float], second: Sequence[float]) -> str:
    """Return `welch_p` as the cell of a table."""
    if not first or not second:
        return NOT_RUN
    p_value = welch_p(first, second)
    return "needs two seeds" if p_value is None else f"{p_value:.2g}"


def verdict_in_words(verdict: Verdict | Paired | None) -> str:
    """Return the difference with its interval and p-value as the cell of a table; empty if there is none."""
    if verdict is None or verdict.difference is None or verdict.interval is None:
        return ""
    low, high = verdict.interval
    p_value = "" if verdict.p is None else f", p = {verdict.p:.2g}"
    return f"{verdict.difference:+.4f} ({low:+.4f} to {high:+.4f}{p_value})"
