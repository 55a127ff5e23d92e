"""The fitness rule of a search for shapes: each loss at its best rate, by a race against the standard losses.

A race stops early what is behind. A loss is trained at the first of its rates for a few steps, then at all of them for
some more; what learns much less than cross-entropy does in as many steps is rejected. Its promising rates are trained
in full with one seed, and the best one goes on to further seeds as long as its mean score is at least that of the best
standard loss: so no loss leads by the luck of one seed, and few need more than one.

It is a race against fixed competitors, and not successive halving among candidates, so that the fitness of a loss
depends on nothing but the loss, however many devices there are and in whatever order trainings end. Each rung begins
from the start: a training is its seed, rate and steps, and the journal needs no states.

Source: Maron and Moore (1994, Hoeffding races), for the idea; Jamieson and Talwalkar (2016, Non-stochastic best arm
identification), for rungs of growing budgets. The fixed competitors, and the audit, are ours.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from glojax.evaluation.fingerprint import Shape, shape_of
from glojax.evaluation.fitness import FITNESS_SPLIT, Evaluation, Planned, Results, Trial, evaluated, mean_fitness
from glojax.expressions import LossTree
from glojax.training import Metric, TrainingConfig
from glojax.training.config import MAX_RATE, MIN_RATE

#: Rates whose fitness in the last rung is further below the best one than this share of it are not trained in full.
PROMISING: Final = 0.1


@dataclass(frozen=True)
class Rung:
    """A short training.

    Attributes:
        num_steps: Its steps.
        num_rates: The number of rates, the lowest first, that a loss is trained at.
        bar: The fitness that a loss has to reach at one of them.
    """

    num_steps: int
    num_rates: int
    bar: float


@dataclass(frozen=True)
class RaceRule:
    """How a shape gets its fitness: the mean validation score over seeds, at the best of a few learning rates.

    The rates are multiples of the one that gives a loss cross-entropy's first step. Losses of equal fingerprint are
    one. A loss without a gradient that depends on the label is rejected for good; pull and rungs are heuristics, and a
    random share of all losses is trained in full all the same.

    Attributes:
        rate: The learning rate of a loss whose pull is 1.
        power: The power of a loss's pull by which the rate is divided: 1 for plain SGD, 0 where the optimizer does not
            see the scale.
        factors: Multiples of the normalised rate, ascending.
        rungs: The short trainings, in their order.
        bar: The fitness of the best standard loss at its own best rate; a loss below it gets no further seed.
        seeds: The first one is that of rungs and of the choice of the rate.
        audit_share: The share of losses that are trained in full whatever the heuristics say.
        num_classes: n.
        prob_epsilon: That of the training.
    """

    rate: float
    power: float
    factors: tuple[float, ...]
    rungs: tuple[Rung, ...]
    bar: float
    seeds: tuple[int, ...]
    audit_share: float
    num_classes: int
    prob_epsilon: float

    def config(self, base: TrainingConfig) -> TrainingConfig:
        """Return the configuration of a whole training."""
        return replace(base, splits=(FITNESS_SPLIT,))

    def num_first(self, base: TrainingConfig) -> int:
        """Return the number of trainings of the first rung, or of all rates without rungs."""
        return self.rungs[0].num_rates if self.rungs else len(self.factors)

    def key(self, tree: LossTree) -> str:
        """Return the fingerprint."""
        return self.shape(tree).fingerprint

    def shape(self, tree: LossTree) -> Shape:
        """Return the shape of a loss."""
        return shape_of(tree, self.num_classes, self.prob_epsilon)

    def rates(self, shape: Shape) -> list[float]:
        """Return the learning rates of a loss, ascending."""
        rate = self.normal_rate(shape)
        return [float(np.clip(rate * factor, MIN_RATE, MAX_RATE)) for factor in self.factors]

    def normal_rate(self, shape: Shape) -> float:
        """Return the learning rate that gives a loss cross-entropy's first step."""
        pull = abs(shape.pull) if 0 < abs(shape.pull) < np.inf else 1.0
        return float(self.rate / pull**self.power)

    def is_audited(self, shape: Shape) -> bool:
        """Return whether a loss is trained in full whatever the heuristics say: a draw by its fingerprint and seeds."""
        digest = hashlib.sha256(f"{shape.fingerprint} {self.seeds}".encode()).hexdigest()
        return int(digest, 16) / 16.0 ** len(digest) < self.audit_share

    def proceed(
        self, tree: LossTree, base: TrainingConfig, metric: Metric, results: Results
    ) -> Sequence[Planned] | Evaluation:
        """Return the trainings of the rung that comes next, or the evaluation."""
        shape = self.shape(tree)
        steps = sum(int(result.num_steps) for result in results.values())
        if not shape.is_trainable:
            return Evaluation(tree, None, "rejected", steps, rejected_by="gradient")

        def trial(planned: Planned) -> Trial:
            return Trial.of(planned.learning_rate, planned.seed, results[planned], metric)

        first, rates, lower_is_better = self.seeds[0], self.rates(shape), metric.lower_is_better
        is_audited = self.is_audited(shape)
        rejected_by = None if shape.pull > 0 else "pull"
        promising, rung_fitness = rates, None
        for rung in self.rungs if rejected_by is None else ():
            planned = [Planned(rung.num_steps, rate, first) for rate in rates[: rung.num_rates]]
            if set(planned) - results.keys():
                return planned
            trials = [trial(one) for one in planned]
            if any(one.num_steps == 0 for one in trials):
                return evaluated(tree, trials[:1], trials, lower_is_better, steps=steps)
            fitnesses = [mean_fitness([one], lower_is_better) for one in trials]
            highest = max(fitnesses)
            rung_fitness = highest if np.isfinite(highest) else None
            least = highest - PROMISING * abs(highest)
            promising = [rate for rate, fitness in zip(rates, fitnesses, strict=False) if fitness >= least]
            if highest < rung.bar:
                rejected_by = "rung"
                break
        if rejected_by is not None and not is_audited:
            return Evaluation(tree, None, "rejected", steps, rejected_by=rejected_by, rung_fitness=rung_fitness)
        planned = [Planned(base.num_steps, rate, first) for rate in (rates if is_audited else promising)]
        if set(planned) - results.keys():
            return planned
        trials = [trial(one) for one in planned]
        best = [max(trials, key=lambda trial: (trial.finite, mean_fitness([trial], lower_is_better)))]
        for seed in self.seeds[1:]:
            if mean_fitness(best, lower_is_better) < self.bar:
                break
            one = Planned(base.num_steps, best[0].learning_rate, seed)
            if one not in results:
                return [one]
            best.append(trial(one))
        trials = [*best, *(trial for trial in trials if trial is not best[0])]
        return evaluated(tree, best, trials, lower_is_better, steps=steps, rejected_by=rejected_by)
