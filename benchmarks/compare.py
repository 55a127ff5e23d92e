"""A comparison of two runs of a benchmark: which cases are slower beyond noise.

    python -m benchmarks.compare BEFORE.json AFTER.json

A case has regressed if its median has grown by more than `--threshold`, and its samples are larger than before by more
than chance explains (Mann-Whitney, one-sided, p at most `--alpha`; that takes three samples on either side), or if it
fails and did not before. The exit code is 1 if a case has regressed, and 2 if the files cannot be compared.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table
from scipy.stats import mannwhitneyu

from benchmarks.machine import GPU_STATE
from benchmarks.record import Case, Record, RecordError

#: Fewer samples cannot reach p = 0.05.
FEWEST_SAMPLES = 3


@dataclass(frozen=True)
class Options:
    """Options of the comparison."""

    before: Annotated[Path, tyro.conf.Positional]
    after: Annotated[Path, tyro.conf.Positional]
    threshold: float = 0.05
    """Greatest relative growth of a median."""

    alpha: float = 0.05
    """Greatest probability that an unchanged case is called slower by chance."""


@dataclass(frozen=True)
class Comparison:
    """One case in both runs.

    Attributes:
        label: The case.
        before: Its median before; None if it failed or was not measured.
        after: Its median after.
        p: The probability that chance alone makes samples so much slower; None if there are none to compare.
        verdict: "slower", "faster", "same", "fails", "works again", "fails as before", "gone", "new", or "too few
            samples" where medians differ but nothing can be said.
    """

    label: str
    before: float | None
    after: float | None
    p: float | None
    verdict: str

    @property
    def regressed(self) -> bool:
        """Whether the case is worse than before."""
        return self.verdict in ("slower", "fails")

    @property
    def ratio(self) -> float | None:
        """The ratio of the medians; above 1 if the case is slower."""
        return self.after / self.before if self.before and self.after else None


def compare(before: Record, after: Record, threshold: float, alpha: float) -> list[Comparison]:
    """Compare every case of both runs, in the order of the later one, then those that are gone.

    Raises:
        RecordError: The runs are of different benchmarks.
    """
    if (before.benchmark, before.unit) != (after.benchmark, after.unit):
        raise RecordError(
            f"One file is of {before.benchmark} in {before.unit}, the other of {after.benchmark} in {after.unit}; "
            "expected two runs of one benchmark."
        )
    known = {case.key: case for case in before.cases}
    comparisons = [_compare_case(known.pop(case.key, None), case, threshold, alpha) for case in after.cases]
    return comparisons + [Comparison(case.label, case.samples.median, None, None, "gone") for case in known.values()]


def _compare_case(before: Case | None, after: Case, threshold: float, alpha: float) -> Comparison:
    if before is None:
        return Comparison(after.label, None, after.samples.median, None, "new")
    medians = before.samples.median, after.samples.median
    if medians[0] is None or medians[1] is None:
        verdicts = {(False, True): "fails", (True, False): "works again", (True, True): "fails as before"}
        return Comparison(after.label, *medians, None, verdicts[medians[0] is None, medians[1] is None])
    slower, faster = (
        float(mannwhitneyu(after.samples.values, before.samples.values, alternative=alternative).pvalue)
        for alternative in ("greater", "less")
    )
    ratio = medians[1] / medians[0]
    if 1 / (1 + threshold) <= ratio <= 1 + threshold:
        verdict = "same"
    elif min(len(before.samples.values), len(after.samples.values)) < FEWEST_SAMPLES:
        verdict = "too few samples"
    elif ratio > 1:
        verdict = "slower" if slower <= alpha else "same"
    else:
        verdict = "faster" if faster <= alpha else "same"
    return Comparison(after.label, *medians, min(slower, faster), verdict)


def print_table(before: Record, after: Record, comparisons: list[Comparison]) -> None:
    """Print a row for each case."""
    console = Console()
    for what, ours, theirs in (
        ("device", _stable(before.device), _stable(after.device)),
        ("versions", before.versions, after.versions),
    ):
        if ours != theirs:
            console.print(f"The runs differ in their {what}.")
    table = Table("case", "before", "after", "ratio", "p", "", title=f"{after.benchmark}: {after.unit}")
    styles = {"slower": "red", "fails": "red", "faster": "green", "works again": "green"}
    for one in comparisons:
        numbers = (f"{value:.4g}" if value is not None else "-" for value in (one.before, one.after))
        ratio, p = (f"{value:.3f}" if value is not None else "-" for value in (one.ratio, one.p))
        table.add_row(one.label, *numbers, ratio, p, one.verdict, style=styles.get(one.verdict, ""))
    console.print(table)


def _stable(device: Mapping[str, Any]) -> dict[str, Any]:
    """Return the device without its GPUs' state, and with the precision that older records, of CPUs, leave out."""
    stable = {"precision": "float32", **device}
    if "gpus" in device:
        stable["gpus"] = [
            {name: value for name, value in gpu.items() if name not in GPU_STATE} for gpu in device["gpus"]
        ]
    return stable


def main(options: Options) -> int:
    """Compare, print, and return the exit code."""
    try:
        before, after = Record.read(options.before), Record.read(options.after)
        comparisons = compare(before, after, options.threshold, options.alpha)
    except RecordError as error:
        print(error, file=sys.stderr)
        return 2
    print_table(before, after, comparisons)
    return 1 if any(comparison.regressed for comparison in comparisons) else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options, description=__doc__)))
