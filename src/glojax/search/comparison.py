"""The comparison of losses over fresh seeds, on the validation and the test set."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation, Evaluator, FitnessRule, evaluate
from glojax.expressions import Domain, LossTree, canonical
from glojax.search.learning_curves import LearningCurve, evaluation_interval, learning_curve
from glojax.search.predictions import Predictions, predictions
from glojax.training import TrainingConfig

#: A loss whose name ends in this is taken at the best of these multiples of the configured learning rate: a search
#: often finds no more than a larger effective step, and this tells it apart.
BEST_RATE = "_best_rate"
RATE_FACTORS = (0.3, 1.0, 3.0, 10.0, 30.0)

#: Learning rates of all losses, or those of each by its name.
Rates = Sequence[float] | Mapping[str, Sequence[float]] | None


@dataclass(frozen=True)
class Scores:
    """Scores, one a seed, with their mean and sample standard deviation; None where there are too few.

    A training that broke off has the metric's worst score, or is left out where the metric has none.
    """

    mean: float | None
    sd: float | None
    values: list[float]

    @classmethod
    def of(cls, values: list[float]) -> "Scores":
        """Sum up scores [seeds]."""
        sd = round(float(np.std(values, ddof=1)), 6) if len(values) > 1 else None
        return cls(round(float(np.mean(values)), 6) if values else None, sd, values)


@dataclass(frozen=True)
class RateTrial:
    """A learning rate at which a loss was tried; `non_finite` trainings broke off."""

    learning_rate: float
    mean_validation: float | None
    non_finite: int


@dataclass(frozen=True)
class ComparedLoss:
    """A loss at the best of its tried learning rates, with the metric's scores; `non_finite` trainings broke off."""

    name: str
    expression: str
    learning_rate: float
    validation: Scores
    test: Scores
    non_finite: int
    tried: list[RateTrial]


@dataclass(frozen=True)
class WelchTest:
    """Two-tailed Welch's t-test between the test scores of two losses; None if it is not defined."""

    first: str
    second: str
    p_value: float | None


@dataclass(frozen=True)
class Comparison:
    """Losses over the same seeds, in the given order, and tests between each two.

    Attributes:
        losses: The losses, each at its best learning rate, as in `curves` and `predictions`.
        welch: The tests.
        curves: The learning curves by the names of the losses.
        predictions: The predicted classes by the names of the losses, where they were counted.
    """

    losses: list[ComparedLoss]
    welch: list[WelchTest]
    curves: dict[str, LearningCurve] = field(default_factory=dict)
    predictions: dict[str, Predictions] = field(default_factory=dict)

    @classmethod
    def of(cls, losses: Sequence[ComparedLoss]) -> "Comparison":
        """Test each two losses, which have their scores from the same seeds."""
        return cls(list(losses), [_welch(first, second) for first, second in combinations(losses, 2)])

    def p_value(self, first: str, second: str) -> float | None:
        """Return the p-value of the test between two losses, in either order."""
        return next(test.p_value for test in self.welch if {test.first, test.second} == {first, second})


def compare(
    losses: Mapping[str, LossTree],
    evaluator: Evaluator,
    seeds: Sequence[int],
    *,
    learning_rates: Rates = None,
    counts_classes: bool = False,
) -> Comparison:
    """Train a network with each loss and each seed, all as one population, and measure validation and test set.

    Args:
        losses: The losses by name; a loss whose name ends in `BEST_RATE` is tried at five learning rates around the
            configured one.
        evaluator: Trains them.
        seeds: The seeds of initial network, batches and dropout, the same for each loss.
        learning_rates: The rates at which all losses are tried, or those of each by its name; each is taken at its
            best, by mean validation accuracy. None for the configured rate.
        counts_classes: Whether the predicted classes are counted on the test set; only for tasks with classes.

    Raises:
        ConfigurationError: A loss lacks x or y.
    """
    require_variables(losses.values(), evaluator.domain)
    rules = [comparison_rule(name, evaluator.config, seeds, learning_rates, counts_classes) for name in losses]
    evaluations = dict(zip(losses, evaluate(evaluator, list(losses.values()), rules), strict=True))
    compared = [_compared(name, evaluation) for name, evaluation in evaluations.items()]
    steps = rules[0].config(evaluator.config).evaluated_steps if rules else ()
    curves = {name: learning_curve(evaluation, steps) for name, evaluation in evaluations.items()}
    predicted = {name: predictions(evaluation) for name, evaluation in evaluations.items()}
    return replace(
        Comparison.of(compared),
        curves={name: curve for name, curve in curves.items() if curve is not None},
        predictions={name: counts for name, counts in predicted.items() if counts is not None},
    )


def require_variables(trees: Iterable[LossTree], domain: Domain = "probability") -> None:
    """Raise ConfigurationError for the first loss that lacks x or y, in canonical form."""
    for tree in (canonical(tree, domain) for tree in trees):
        if not (tree.uses("x") and tree.uses("y")):
            raise ConfigurationError(f"{tree} lacks x or y, and cannot be compared; leave it out.")


def comparison_rule(
    name: str,
    config: TrainingConfig,
    seeds: Sequence[int],
    learning_rates: Rates = None,
    counts_classes: bool = False,
) -> FitnessRule:
    """Return the fitness rule of a compared loss; see `compare`."""
    if isinstance(learning_rates, Mapping):
        learning_rates = learning_rates[name]
    around = [config.learning_rate * factor for factor in RATE_FACTORS]
    rates = learning_rates or (around if name.endswith(BEST_RATE) else [config.learning_rate])
    return FitnessRule(
        tuple(seeds),
        tuple(rates),
        splits=("validation", "test"),
        evaluate_every=evaluation_interval(config),
        counts_classes=counts_classes,
    )


def _compared(name: str, evaluation: Evaluation) -> ComparedLoss:
    best_rate = evaluation.learning_rate
    assert best_rate is not None, "it was trained"
    non_finite = Counter(trial.learning_rate for trial in evaluation.trials if not trial.finite)
    return ComparedLoss(
        name,
        evaluation.expression,
        best_rate,
        Scores.of(evaluation.scores("validation")),
        Scores.of(evaluation.scores("test")),
        non_finite[best_rate],
        [
            RateTrial(rate, Scores.of(evaluation.scores("validation", rate)).mean, non_finite[rate])
            for rate in dict.fromkeys(trial.learning_rate for trial in evaluation.trials)
        ],
    )


def _welch(first: ComparedLoss, second: ComparedLoss) -> WelchTest:
    scores = [np.array(loss.test.values) for loss in (first, second)]
    if min(map(len, scores)) < 2 or all(np.ptp(values) == 0 for values in scores):
        return WelchTest(first.name, second.name, None)
    from scipy import stats  # takes a third of the time that glojax takes to import

    # From mean and deviation: given the values, SciPy warns of constant ones.
    moments = [(values.mean(), values.std(ddof=1), len(values)) for values in scores]
    p_value = float(stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False).pvalue)
    return WelchTest(first.name, second.name, p_value)
