"""The fitness rule: how a loss is trained, and how its trainings give one number."""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree, Origin
from glojax.tasks import ClassCounts
from glojax.training import Metric, TrainingConfig, TrainResult, require_rates

Status = Literal["trained", "lacks_variable", "rejected", "non_finite", "crashed", "cached"]

#: The split whose scores give the fitness.
FITNESS_SPLIT = "validation"


@dataclass(frozen=True)
class Trial:
    """One training of a loss.

    Attributes:
        learning_rate: The rule's rate.
        seed: The seed.
        scores: The metric on each measured split; its worst, or one that is infinite, if the training was not finite.
        finite: Whether loss, gradient and parameters stayed finite to the end.
        num_steps: Optimizer steps taken; 0 if the training crashed its worker.
        curve: The validation score at the configuration's `evaluated_steps`, None where it is not finite; empty where
            nothing was measured on the way.
        class_counts: The predicted classes on the test split, where a rule asks for them.
    """

    learning_rate: float
    seed: int
    scores: Mapping[str, float]
    finite: bool
    num_steps: int
    curve: tuple[float | None, ...] = field(default=(), compare=False, repr=False)
    class_counts: ClassCounts | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, learning_rate: float, seed: int, result: TrainResult, metric: Metric) -> "Trial":
        """Return the trial of a training with this result."""
        failed = metric.worst if metric.worst is not None else math.inf if metric.lower_is_better else -math.inf
        scores = {split: float(score) if result.finite else failed for split, score in result.scores.items()}
        curve = () if result.curve is None else map(float, result.curve)
        points = tuple(score if math.isfinite(score) else None for score in curve)
        return cls(learning_rate, seed, scores, bool(result.finite), int(result.num_steps), points, result.class_counts)


@dataclass(frozen=True)
class Evaluation:
    """The fitness of a loss function, and its trainings.

    Attributes:
        tree: The function in canonical form.
        fitness: Higher is better; None if no training came to its end.
        status: `trained`; `lacks_variable` (without x or y, never trained); `rejected` (not worth a whole training);
            `non_finite` (a training did not stay finite); `crashed` (a training, alone, ended three workers of a
            cluster); or `cached` (known before, or equal to a function submitted before).
        steps: Optimizer steps that this evaluation took.
        learning_rate: The rate at which the function has this fitness; None if it was not trained.
        trials: Its trainings, those of the first rate first.
        rejected_by: The cheap rule that rejects the loss; an audited loss is trained all the same.
        rung_fitness: The fitness of the short trainings on which a loss was rejected; None if it was not.
        origin: How the candidate was made, where a search knows it; no part of equality.
    """

    tree: LossTree
    fitness: float | None
    status: Status
    steps: int
    learning_rate: float | None = None
    trials: tuple[Trial, ...] = ()
    rejected_by: str | None = None
    rung_fitness: float | None = None
    origin: Origin | None = field(default=None, compare=False)

    @property
    def expression(self) -> str:
        """The function as text."""
        return str(self.tree)

    def again(self) -> "Evaluation":
        """Return the evaluation of the same function when it is submitted again: nothing is trained."""
        return replace(self, status="cached", steps=0)

    def scores(self, split: str, learning_rate: float | None = None) -> list[float]:
        """Return the scores on a split at a rate (None for the best), one for each seed, rounded to six decimals.

        That of a training which was not finite is the metric's worst, or is left out where it has none.
        """
        rate = self.learning_rate if learning_rate is None else learning_rate
        scores = [trial.scores[split] for trial in self.trials if trial.learning_rate == rate]
        return [round(score, 6) for score in scores if math.isfinite(score)]


class Planned(NamedTuple):
    """A training of a loss that a rule asks for."""

    num_steps: int
    learning_rate: float
    seed: int


#: The results of those trainings of a loss that are done.
Results = Mapping[Planned, TrainResult]


class Rule(Protocol):
    """How a loss is trained, and how its trainings give its fitness; a hashable value."""

    def config(self, base: TrainingConfig) -> TrainingConfig:
        """Return the configuration of a whole training."""

    def num_first(self, base: TrainingConfig) -> int:
        """Return the number of trainings that a loss begins with."""

    def key(self, tree: LossTree) -> Hashable:
        """Return what losses share that are one to this rule; the tree is in canonical form."""

    def proceed(
        self, tree: LossTree, base: TrainingConfig, metric: Metric, results: Results
    ) -> "Sequence[Planned] | Evaluation":
        """Return the trainings that the evaluation needs next, not all of which are done; or the evaluation."""


@dataclass(frozen=True)
class FitnessRule:
    """The learning rates, seeds and steps with which a loss is trained, and how they give its fitness.

    The fitness is the best, over the learning rates, of the mean validation score over the seeds, or of minus that
    where a lower score is better. A training that was not finite has the metric's worst score; where there is none, the
    loss has no fitness.

    Attributes:
        seeds: At least one, each once; the same for all losses.
        learning_rates: At least one, each once; None for the configuration's.
        num_steps: Optimizer steps; None for the configuration's.
        splits: The measured splits; "validation" must be one of them.
        evaluate_every: Steps after which the validation split is measured on the way; None for the configuration's.
        counts_classes: Whether the predicted classes are counted on the test split.

    Source: Gonzalez and Miikkulainen (2020), section III-A, for one rate and one seed.
    """

    seeds: tuple[int, ...] = (0,)
    learning_rates: tuple[float, ...] | None = None
    num_steps: int | None = None
    splits: tuple[str, ...] = (FITNESS_SPLIT,)
    evaluate_every: int | None = None
    counts_classes: bool = False

    def __post_init__(self) -> None:
        for name in ("seeds", "learning_rates", "splits"):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, tuple(values))
        if not self.seeds:
            raise ConfigurationError("There is no seed to train candidates with; give at least one.")
        if repeated := [seed for seed, count in Counter(self.seeds).items() if count > 1]:
            raise ConfigurationError(
                f"seeds has {' and '.join(map(str, repeated))} more than once; give each seed once."
            )
        if self.learning_rates is not None and not self.learning_rates:
            raise ConfigurationError("There is no learning rate to train candidates with; give at least one, or None.")
        require_rates("learning_rates", *(self.learning_rates or ()))
        if FITNESS_SPLIT not in self.splits:
            raise ConfigurationError(f"splits is {self.splits}; expected 'validation' in it: it gives the fitness.")

    def config(self, base: TrainingConfig) -> TrainingConfig:
        """Return the configuration of the trainings."""
        return replace(
            base,
            num_steps=self.num_steps or base.num_steps,
            splits=self.splits,
            evaluate_every=self.evaluate_every or base.evaluate_every,
            counts_classes=self.counts_classes,
        )

    def grid(self, base: TrainingConfig) -> list[tuple[float, int]]:
        """Return the learning rate and seed of each training of a loss."""
        return [(rate, seed) for rate in self.learning_rates or (base.learning_rate,) for seed in self.seeds]

    def num_first(self, base: TrainingConfig) -> int:
        """Return the number of all trainings of a loss."""
        return len(self.grid(base))

    def key(self, tree: LossTree) -> LossTree:
        """Return the tree itself."""
        return tree

    def proceed(
        self, tree: LossTree, base: TrainingConfig, metric: Metric, results: Results
    ) -> Sequence[Planned] | Evaluation:
        """Return all trainings; then the evaluation."""
        planned = [Planned(self.num_steps or base.num_steps, rate, seed) for rate, seed in self.grid(base)]
        if set(planned) - results.keys():
            return planned
        trials = [Trial.of(one.learning_rate, one.seed, results[one], metric) for one in planned]
        return self.evaluation(tree, trials, metric.lower_is_better)

    def evaluation(self, tree: LossTree, trials: Sequence[Trial], lower_is_better: bool = False) -> Evaluation:
        """Return the evaluation of a loss by its trials, in the order of `grid`."""
        by_rate = [trials[start : start + len(self.seeds)] for start in range(0, len(trials), len(self.seeds))]
        # A rate at which no training was finite is not the best if another rate has a fitness, even one of 0.
        best = max(
            by_rate, key=lambda trials: (any(trial.finite for trial in trials), mean_fitness(trials, lower_is_better))
        )
        return evaluated(tree, best, trials, lower_is_better)


def evaluated(
    tree: LossTree, best: Sequence[Trial], trials: Sequence[Trial], lower_is_better: bool, **others: Any
) -> Evaluation:
    """Return the evaluation of a loss by its trials; it has the fitness of the best, those of one rate."""
    status: Status = "trained" if all(trial.finite for trial in best) else "non_finite"
    fitness: float | None = mean_fitness(best, lower_is_better)
    if any(trial.num_steps == 0 for trial in trials):
        status, fitness = "crashed", None
    elif not any(trial.finite for trial in best) or fitness == -math.inf:
        fitness = None
    settings = {"steps": sum(trial.num_steps for trial in trials)} | others
    return Evaluation(tree, fitness, status, learning_rate=best[0].learning_rate, trials=tuple(trials), **settings)


def mean_fitness(trials: Sequence[Trial], lower_is_better: bool) -> float:
    """Return the mean validation score, higher is better, rounded to six decimals, finer than any split resolves."""
    scores = np.array([trial.scores[FITNESS_SPLIT] for trial in trials], np.float32)
    return (-1 if lower_is_better else 1) * round(float(np.mean(scores, dtype=np.float64)), 6)
