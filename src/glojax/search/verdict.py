"""What a search has found: how its loss does against each standard loss, each at its own best learning rate."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glojax.evaluation import Evaluation
from glojax.search.comparison import ComparedLoss, Comparison
from glojax.search.progress import shown

#: The probability that an interval holds the true value, and one minus the level of the tests.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Verdict:
    """How a loss does against a standard one, by their test scores over the same fresh seeds.

    Attributes:
        against: The name of the standard loss.
        rate: Its own best learning rate.
        difference: The mean score of the loss that was found minus that of the standard one; None if one has none.
        interval: Welch's 95 % interval of the difference; None unless both have two scores.
        p: Two-tailed Welch's test, corrected for the number of standard losses by Holm's method; None if it is not
            defined.
        better: Whether the loss that was found is significantly better; None if nothing can be told.
        sentence: All of it in words.
    """

    against: str
    rate: float
    difference: float | None
    interval: tuple[float, float] | None
    p: float | None
    better: bool | None
    sentence: str


def judge(
    comparison: Comparison,
    found: str,
    standard: Sequence[str],
    metric: str,
    lower_is_better: bool = False,
    num_seeds: int | None = None,
) -> list[Verdict]:
    """Return the verdict on a compared loss against each of the standard ones.

    Args:
        comparison: The losses.
        found: The name of the loss.
        standard: The names of those it is compared with.
        metric: The name of the scores.
        lower_is_better: Whether a lower score is better.
        num_seeds: Trainings of each loss; None for the largest number of scores of any loss.

    Source: Welch (1947); Holm (1979, A simple sequentially rejective multiple test procedure).
    """
    losses = {loss.name: loss for loss in comparison.losses}
    p_values = holm({name: comparison.p_value(found, name) for name in standard})
    if num_seeds is None:
        num_seeds = max(len(loss.test.values) for loss in comparison.losses)
    return [
        _verdict(losses[found], losses[name], p_values[name], metric, lower_is_better, num_seeds) for name in standard
    ]


def _verdict(
    found: ComparedLoss, other: ComparedLoss, p: float | None, metric: str, lower_is_better: bool, num_seeds: int
) -> Verdict:
    means = found.test.mean, other.test.mean
    difference = None if means[0] is None or means[1] is None else round(means[0] - means[1], 6)
    interval = _welch_interval(found.test.values, other.test.values)
    better = None
    if difference is None or p is None or interval is None:
        outcome = "whether it is better cannot be told from these trainings"
    elif lost := 2 * num_seeds - len(found.test.values) - len(other.test.values):
        outcome = (
            f"whether it is better cannot be told, as {lost} of the trainings of the two broke off, without a score"
        )
    else:
        better = p < 1 - CONFIDENCE and (difference < 0 if lower_is_better else difference > 0)
        words = "better than" if better else "worse than" if p < 1 - CONFIDENCE else "no better than"
        outcome = f"it is {words} {other.name} (95 % interval {interval[0]:+.4f} to {interval[1]:+.4f}, p = {p:.2g})"
    gap = "" if difference is None else f": {difference:+.4f}"
    sentence = (
        f"Test {metric} {shown(means[0])} at its own best rate {found.learning_rate:.3g}, {other.name} "
        f"{shown(means[1])} at its own, {other.learning_rate:.3g}{gap}; {outcome}."
    )
    return Verdict(other.name, other.learning_rate, difference, interval, p, better, sentence)


def _welch_interval(first: Sequence[float], second: Sequence[float]) -> tuple[float, float] | None:
    """Return the interval of the difference of two means; None unless both have two values."""
    if min(len(first), len(second)) < 2:
        return None
    from scipy import stats  # takes a third of the time that glojax takes to import

    difference = float(np.mean(first) - np.mean(second))
    shares = [np.var(values, ddof=1) / len(values) for values in (first, second)]
    total = sum(shares)
    if total == 0:
        return round(difference, 6), round(difference, 6)
    freedom = total**2 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)
    )
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(total)
    return round(difference - half, 6), round(difference + half, 6)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return p-values adjusted for their number; those that are not defined count."""
    adjusted: dict[str, float | None] = dict(p_values)
    least, left = 0.0, len(p_values)
    for name, p in sorted(((name, p) for name, p in p_values.items() if p is not None), key=lambda item: item[1]):
        least = max(least, min(1.0, left * p))
        adjusted[name] = least
        left -= 1
    return adjusted


@dataclass
class Tally:
    """Counts of a search for shapes.

    Attributes:
        bar: The fitness that a loss must have for its rejection to be false: that of cross-entropy.
        candidates, trained, candidate_steps: Candidates; those of them trained in full; optimizer steps in all.
        rejected: Candidates that were not trained in full, by the rule.
        checked, false_rejections: Audited candidates that a heuristic rule rejects; those that reach the bar.
    """

    bar: float
    candidates: int = 0
    trained: int = 0
    candidate_steps: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    checked: int = 0
    false_rejections: int = 0

    def add(self, evaluation: Evaluation) -> None:
        """Count a candidate."""
        self.candidates += 1
        self.candidate_steps += evaluation.steps
        if evaluation.status in ("rejected", "lacks_variable"):
            self.rejected[evaluation.rejected_by or evaluation.status] += 1
        elif evaluation.status != "cached":
            self.trained += 1
            if evaluation.rejected_by is not None:
                self.checked += 1
                self.false_rejections += evaluation.fitness is not None and evaluation.fitness >= self.bar

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the rate of false rejections (Wilson, 1927)."""
        if not self.checked:
            return 0.0, 1.0
        from scipy import stats

        interval = stats.binomtest(self.false_rejections, self.checked).proportion_ci(CONFIDENCE, method="wilson")
        return round(float(interval.low), 6), round(float(interval.high), 6)

    @property
    def audit(self) -> str:
        """The audit in words; empty before the first."""
        if not self.checked:
            return ""
        low, high = self.interval
        return f"audit: {self.false_rejections} of {self.checked} rejections false ({low:.1%} to {high:.1%})"

    def record(self, draws: Mapping[str, int]) -> dict[str, Any]:
        """Return the counts as a JSON object, with what was drawn and refused before it became a candidate."""
        refused = {name: number for name, number in draws.items() if name != "new"}
        return {
            "candidates": self.candidates,
            "drawn": sum(draws.values()),
            "trained": self.trained,
            "candidate_steps": self.candidate_steps,
            "rejected": dict(sorted((Counter(refused) + self.rejected).items())),
            "audit": {
                "checked": self.checked,
                "false_rejections": self.false_rejections,
                "interval": list(self.interval),
            },
        }
