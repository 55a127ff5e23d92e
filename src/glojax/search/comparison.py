"""Comparison: losses against each other over fresh seeds, on the validation and the test set."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from glojax.evaluation import Trainer
from glojax.expressions import LossTree, canonical

#: A loss whose name ends in this is taken at the best, by mean validation accuracy, of these multiples of the
#: configured learning rate. Much of what a search finds first is only a larger effective step; this tells it apart.
BEST_RATE = "_best_rate"
RATE_FACTORS = (0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class Accuracies:
    """Accuracies in [0, 1], one a seed, with their mean and sample standard deviation (None for a single seed)."""

    mean: float
    sd: float | None
    values: list[float]

    @classmethod
    def of(cls, values: np.ndarray) -> "Accuracies":
        """Sum up accuracies [seeds]."""
        # float32 to six decimals, finer than any split's resolution.
        rounded = [round(float(value), 6) for value in values]
        sd = round(float(np.std(rounded, ddof=1)), 6) if len(rounded) > 1 else None
        return cls(round(float(np.mean(rounded)), 6), sd, rounded)


@dataclass(frozen=True)
class RateTrial:
    """One learning rate that a loss was tried at."""

    learning_rate: float
    mean_validation_accuracy: float
    non_finite: int


@dataclass(frozen=True)
class ComparedLoss:
    """One loss of a comparison, at the best of the learning rates it was tried at.

    `non_finite` of its trainings broke off, and count with accuracy 0.
    """

    name: str
    expression: str
    learning_rate: float
    validation_accuracy: Accuracies
    test_accuracy: Accuracies
    non_finite: int
    tried: list[RateTrial]


@dataclass(frozen=True)
class WelchTest:
    """Two-tailed Welch's t-test between the test accuracies of two losses; None where it is not defined."""

    first: str
    second: str
    p_value: float | None


@dataclass(frozen=True)
class Comparison:
    """Losses over the same seeds, in the order asked for, and tests between each two."""

    losses: list[ComparedLoss]
    welch: list[WelchTest]

    def p_value(self, first: str, second: str) -> float | None:
        """Of the test between two losses, in either order."""
        return next(test.p_value for test in self.welch if {test.first, test.second} == {first, second})


def compare(
    losses: Mapping[str, LossTree],
    trainer: Trainer,
    seeds: Sequence[int],
    *,
    learning_rates: Sequence[float] | None = None,
    on_training: Callable[[int], None] = lambda steps: None,
    on_start: Callable[[int], None] = lambda total: None,
) -> Comparison:
    """Train a network with each loss and each seed, all as one population.

    Args:
        losses: The losses by name; one whose name ends in `BEST_RATE` is tried at five learning rates around the
            configured one.
        trainer: Trains them; the `splits` of its configuration must be "validation" and "test".
        seeds: Of initial network, batches and dropout; the same for each loss.
        learning_rates: What all losses are tried at; each is taken at its best, by mean validation accuracy. None for
            the configured one.
        on_training: Called with the steps of each training when it is done.
        on_start: Called once with the number of trainings.
    """
    configured = trainer.config.learning_rate
    around = [configured * factor for factor in RATE_FACTORS]
    rates_tried = {name: learning_rates or (around if name.endswith(BEST_RATE) else [configured]) for name in losses}
    variants = [(name, canonical(tree), rate) for name, tree in losses.items() for rate in rates_tried[name]]
    on_start(len(variants) * len(seeds))
    _, trees, rates = zip(*variants, strict=True)
    validation, test, finite = (np.zeros(len(variants) * len(seeds)) for _ in range(3))
    with closing(trainer.train(trees, seeds, rates)) as results:
        for place, result in results:
            validation[place], test[place] = result.accuracy["validation"], result.accuracy["test"]
            finite[place] = result.finite
            on_training(int(result.num_steps))

    rows = [
        ComparedLoss(
            name, str(tree), rate, Accuracies.of(validated), Accuracies.of(tested), int(np.sum(ended == 0)), []
        )
        for (name, tree, rate), validated, tested, ended in zip(
            variants, *(array.reshape(len(variants), -1) for array in (validation, test, finite)), strict=True
        )
    ]
    compared = [_at_best_rate([row for row in rows if row.name == name]) for name in losses]
    return Comparison(compared, [_welch(first, second) for first, second in combinations(compared, 2)])


def _at_best_rate(rows: Sequence[ComparedLoss]) -> ComparedLoss:
    """Of the rows of one loss, the best by mean validation accuracy."""
    tried = [RateTrial(row.learning_rate, row.validation_accuracy.mean, row.non_finite) for row in rows]
    return replace(max(rows, key=lambda row: row.validation_accuracy.mean), tried=tried)


def _welch(first: ComparedLoss, second: ComparedLoss) -> WelchTest:
    accuracies = [np.array(loss.test_accuracy.values) for loss in (first, second)]
    if min(map(len, accuracies)) < 2 or all(np.ptp(values) == 0 for values in accuracies):
        return WelchTest(first.name, second.name, None)
    # From mean and deviation: given the values, SciPy warns of constant ones.
    moments = [(values.mean(), values.std(ddof=1), len(values)) for values in accuracies]
    p_value = float(stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False).pvalue)
    return WelchTest(first.name, second.name, p_value)
