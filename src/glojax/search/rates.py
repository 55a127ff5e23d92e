"""The best learning rate of each of several losses, by a sweep; and the race that follows from those."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
import optax

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.evaluation import FITNESS_SPLIT, Evaluator, FitnessRule, RaceRule, Rung, evaluate, shape_of
from glojax.expressions import LossTree
from glojax.losses import CATALOG
from glojax.search.comparison import RateTrial
from glojax.tasks import TASKS
from glojax.training import TrainingConfig
from glojax.training.config import MAX_RATE, MIN_RATE

#: The loss whose first step and first scores candidates are measured by.
RIVAL: Final = "cross_entropy"

#: Rates of a sweep are so far apart; those beside the best one, in the end, by its square root.
_FACTOR: Final = 3.0

#: A sweep begins with so many rates on either side of where it starts, and ends after so many in all.
_NUM_BESIDE, _MAX_RATES = 2, 16

#: So many rates are trained with all seeds in the end.
_NUM_LAST: Final = 3

#: The shares of the steps of a whole training that the rungs of a race take: the first at the lowest rate alone.
_RUNG_SHARES: Final = (1 / 15, 2 / 15)


@dataclass(frozen=True)
class Sweep:
    """The learning rates that a loss was tried at, ascending.

    Attributes:
        tried: Each with its mean score; that of the last rates to stay is over all seeds.
        best: The one of these with the best mean score, the lowest of equals.
        fitness: That score, or minus it where a lower one is better; higher is better.
    """

    tried: tuple[RateTrial, ...]
    best: RateTrial
    fitness: float


def sweep(
    evaluator: Evaluator, losses: Mapping[str, LossTree], starts: Mapping[str, float], seeds: Sequence[int]
) -> dict[str, Sweep]:
    """Find the best learning rate of each loss by its mean validation score over seeds.

    With the first quarter of the seeds, it is tried at rates that differ by a factor of 3 around its start, and at more
    of them until the best one lies between two others; then at two more beside the best one. The three best of all are
    trained with the other seeds, too: the best rate often lies close to one at which every tenth training fails.
    """
    few = tuple(seeds[: max(1, len(seeds) // 4)])
    lower_is_better = evaluator.metric.lower_is_better

    def fitness(trial: RateTrial) -> float:
        if trial.mean_validation is None:
            return -math.inf
        return -trial.mean_validation if lower_is_better else trial.mean_validation

    def best_first(tried: Iterable[RateTrial]) -> list[RateTrial]:
        return sorted(tried, key=lambda trial: (-fitness(trial), trial.learning_rate))

    found: dict[str, dict[float, RateTrial]] = {name: {} for name in losses}
    factors = [_FACTOR**step for step in range(-_NUM_BESIDE, _NUM_BESIDE + 1)]
    wanted = {name: _possible(starts[name] * factor for factor in factors) for name in losses}
    is_refined = set[str]()
    while any(wanted.values()):
        names = [name for name in losses if wanted[name]]
        for name, trials in zip(names, _tried(evaluator, losses, wanted, names, few), strict=True):
            tried = found[name]
            tried |= trials
            best = best_first(tried.values())[0].learning_rate
            step = _FACTOR if best in (min(tried), max(tried)) and len(tried) < _MAX_RATES else math.sqrt(_FACTOR)
            beside = [best / step, best * step] if name not in is_refined else []
            if step != _FACTOR:
                is_refined.add(name)
            wanted[name] = [rate for rate in _possible(beside) if not any(math.isclose(rate, other) for other in tried)]
    last = {name: [trial.learning_rate for trial in best_first(found[name].values())[:_NUM_LAST]] for name in losses}
    sweeps = {}
    for name, trials in zip(losses, _tried(evaluator, losses, last, list(losses), tuple(seeds)), strict=True):
        best_trial = best_first(trials.values())[0]
        tried = found[name] | trials
        sweeps[name] = Sweep(tuple(tried[rate] for rate in sorted(tried)), best_trial, fitness(best_trial))
    return sweeps


def _possible(rates: Iterable[float]) -> list[float]:
    """Return those of the rates that a training can have."""
    return [rate for rate in rates if MIN_RATE <= rate <= MAX_RATE]


def usual_trainings(num_seeds: int) -> int:
    """Return the number of trainings of a loss whose best rate lies among the first ones."""
    return (2 * _NUM_BESIDE + 3) * max(1, num_seeds // 4) + _NUM_LAST * num_seeds


def _tried(
    evaluator: Evaluator,
    losses: Mapping[str, LossTree],
    rates: Mapping[str, Sequence[float]],
    names: Sequence[str],
    seeds: tuple[int, ...],
) -> list[dict[float, RateTrial]]:
    """Train each of the named losses at its rates with all seeds; return the trials by their rates."""
    rules = [FitnessRule(seeds, tuple(rates[name])) for name in names]
    found = []
    for name, evaluation in zip(names, evaluate(evaluator, [losses[name] for name in names], rules), strict=True):
        by_rate = {}
        for rate in rates[name]:
            trials = [trial for trial in evaluation.trials if trial.learning_rate == rate]
            mean = float(np.mean([trial.scores[FITNESS_SPLIT] for trial in trials]))
            known = round(mean, 6) if math.isfinite(mean) else None
            by_rate[rate] = RateTrial(rate, known, sum(not trial.finite for trial in trials))
        found.append(by_rate)
    return found


def has_shapes(dataset: Dataset) -> bool:
    """Return whether shape and pull of a loss are known: each example has one class."""
    return TASKS[dataset.task].link == "softmax" and np.issubdtype(dataset.train.targets.dtype, np.integer)


def require_shapes(
    dataset: Dataset, standard: Iterable[LossTree], initial: Sequence[LossTree], prob_epsilon: float
) -> None:
    """Raise ConfigurationError unless each example has one class, and given losses have shapes, initial ones their own.

    Fingerprint and pull are defined for one class an example, and a loss without a pull has no normalised rate.
    """
    if not has_shapes(dataset):
        kind = "soft labels" if TASKS[dataset.task].link == "softmax" else f"the task {dataset.task}"
        classes = ", or --task classification if its numbers are classes" if dataset.task == "regression" else ""
        raise ConfigurationError(
            f"{dataset.name} has {kind}, and shapes are known for one class an example alone; give --preset paper"
            f"{classes}."
        )
    shapes = {tree: shape_of(tree, dataset.num_outputs, prob_epsilon) for tree in (*standard, *initial)}
    for tree, shape in shapes.items():
        if not shape.is_trainable or not abs(shape.pull) > 0:
            raise ConfigurationError(
                f"The gradient of {tree} in an untrained network is not finite, or moves no logit towards the label or "
                "away from it; leave the loss out."
            )
    first: dict[str, LossTree] = {}
    for tree in initial:
        if (other := first.setdefault(shapes[tree].fingerprint, tree)) is not tree:
            raise ConfigurationError(f"The initial losses {other} and {tree} train alike; give one of them.")


def normalised_rate(rate: float, tree: LossTree, num_classes: int, config: TrainingConfig) -> float:
    """Return the rate that gives a loss the first step that cross-entropy takes at a rate."""
    pulls = [shape_of(each, num_classes, config.prob_epsilon).pull for each in (CATALOG[RIVAL], tree)]
    return float(np.clip(rate * abs(pulls[0] / pulls[1]) ** scale_power(config), MIN_RATE, MAX_RATE))


def scale_power(config: TrainingConfig) -> float:
    """Return the power of a loss's scale that the optimizer's first step grows by: 1 for plain SGD, 0 for Adam."""
    params = {"kernel": jnp.array([1.0, -1.0, 0.5])}
    assert callable(config.optimizer)
    optimizer = config.optimizer(1.0)
    with_scale = []
    for scale in (0.1, 0.4):
        gradient = {"kernel": scale * jnp.array([0.3, -0.1, 0.2])}
        with jax.numpy_dtype_promotion("standard"):  # which some of optax's optimizers rely on
            updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        with_scale.append(float(optax.tree.norm(updates)))
    return round(math.log(with_scale[1] / with_scale[0], 4), 2) if min(with_scale) > 0 else 1.0


def race(
    evaluator: Evaluator,
    rates: Mapping[LossTree, float],
    seeds: Sequence[int],
    *,
    factors: Sequence[float],
    audit_share: float,
    num_classes: int,
) -> tuple[RaceRule, float]:
    """Return the rule by which losses race against the standard losses, and the fitness of cross-entropy by it.

    The standard losses, cross-entropy among them, come with their own best rates.
    """
    config, rival = evaluator.config, CATALOG[RIVAL]
    rate = rates[rival]
    power, pull = scale_power(config), shape_of(rival, num_classes, config.prob_epsilon).pull
    all_seeds = tuple(seeds)
    steps = [max(1, round(share * config.num_steps)) for share in _RUNG_SHARES]
    around = tuple(rate * factor for factor in factors)
    rules = [
        FitnessRule(all_seeds, (MIN_RATE,), num_steps=steps[0]),
        FitnessRule(all_seeds, around[:1], num_steps=steps[0]),
        FitnessRule(all_seeds, around, num_steps=steps[1]),
    ]
    trees = [rival] * len(rules) + list(rates)
    rules += [FitnessRule(all_seeds, (each,)) for each in rates.values()]
    untrained, first, second, *whole = (
        -math.inf if one.fitness is None else one.fitness for one in evaluate(evaluator, trees, rules)
    )
    rule = RaceRule(
        rate=rate * abs(pull) ** power,
        power=power,
        factors=tuple(factors),
        rungs=tuple(
            Rung(number, 1 if index == 0 else len(factors), (untrained + score) / 2)
            for index, (number, score) in enumerate(zip(steps, (first, second), strict=True))
        ),
        bar=max(whole),
        seeds=all_seeds,
        audit_share=audit_share,
        num_classes=num_classes,
        prob_epsilon=config.prob_epsilon,
    )
    return rule, whole[list(rates).index(rival)]
