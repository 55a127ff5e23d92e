"""What an experiment came to: Markdown tables, and the statistics in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

#: What a table says where there is no record.
NOT_RUN = "not yet run"


@dataclass(frozen=True)
class Report:
    """Tables and remarks in Markdown, and a figure."""

    text: str
    figure: Figure | None = None


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; None is an empty cell."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |\n" for line in lines)


def mean_and_sd(values: Sequence[float]) -> str:
    """Mean and, of two values or more, their sample standard deviation."""
    if not values:
        return NOT_RUN
    mean = f"{np.mean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} (sd {np.std(values, ddof=1):.4f})"


def one(value: float | None) -> str:
    """An accuracy."""
    return NOT_RUN if value is None else f"{value:.4f}"


def welch_p(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Of a two-tailed Welch t-test; None where it is not defined, for one value or constant ones."""
    if min(len(first), len(second)) < 2 or np.ptp(first) == np.ptp(second) == 0:
        return None
    moments = [(np.mean(values), np.std(values, ddof=1), len(values)) for values in (first, second)]
    return float(stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False).pvalue)


def p_in_words(first: Sequence[float], second: Sequence[float]) -> str:
    """As `welch_p`, for a table."""
    if not first or not second:
        return NOT_RUN
    p_value = welch_p(first, second)
    return "needs two seeds" if p_value is None else f"{p_value:.2g}"
