"""Losses that are compared on a task, each at its own best learning rate, and perhaps with weight decay."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import optax

from experiments.tasks import OpenTask
from glojax.errors import ConfigurationError
from glojax.evaluation import PoolEvaluator
from glojax.expressions import LossTree
from glojax.search.comparison import ComparedLoss, compare
from glojax.search.rates import Sweep, sweep
from glojax.training import Optimizer
from glojax.training.optimizer import PLAIN_SGD


@dataclass(frozen=True)
class Entrant:
    """A loss that is compared, its learning rate, or the one where the sweep for it starts, and its weight decay."""

    tree: LossTree
    rate: float
    weight_decay: float = 0.0


def sgd_with_decay(learning_rate: Any, weight_decay: float) -> optax.GradientTransformation:
    """Return plain SGD with weight decay of all parameters."""
    return optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(learning_rate))


def evaluator_of(task: OpenTask, weight_decay: float, **changes: Any) -> PoolEvaluator:
    """Return an evaluator for trainings with weight decay of all parameters; for Adam, this is AdamW."""
    if weight_decay == 0:
        return task.evaluator(**changes)
    optimizer = task.options.training.optimizer
    if optimizer == Optimizer("adam"):
        return task.evaluator(optimizer=Optimizer.of("adamw", weight_decay=weight_decay), **changes)
    if optimizer == PLAIN_SGD:
        decayed = Optimizer.of(f"{__name__}:sgd_with_decay", weight_decay=weight_decay)
        return task.evaluator(optimizer=decayed, **changes)
    raise ConfigurationError(f"Cross-entropy is tuned for adam and sgd; {optimizer} has no weight decay here.")


def swept(task: OpenTask, entrants: Mapping[str, Entrant], steps: int) -> dict[str, Sweep]:
    """Find the best rate of each loss, after trainings of so many steps."""
    found: dict[str, Sweep] = {}
    for decay, own in _by_decay(entrants).items():
        trees = {name: one.tree for name, one in own.items()}
        starts = {name: one.rate for name, one in own.items()}
        found |= sweep(evaluator_of(task, decay, num_steps=steps), trees, starts, task.options.seeds_of_rates)
    return {name: found[name] for name in entrants}


def at_best(entrants: Mapping[str, Entrant], sweeps: Mapping[str, Sweep]) -> dict[str, Entrant]:
    """Return each loss at the rate that its sweep found."""
    return {name: replace(one, rate=sweeps[name].best.learning_rate) for name, one in entrants.items()}


def compared(task: OpenTask, entrants: Mapping[str, Entrant], steps: int, num_seeds: int) -> list[ComparedLoss]:
    """Train each loss at its rate for so many steps, with seeds that no sweep has used."""
    seeds = range(task.options.seeds_of_rates.stop, task.options.seeds_of_rates.stop + num_seeds)
    found: dict[str, ComparedLoss] = {}
    for decay, own in _by_decay(entrants).items():
        trees = {name: one.tree for name, one in own.items()}
        rates = {name: [one.rate] for name, one in own.items()}
        result = compare(trees, evaluator_of(task, decay, num_steps=steps), seeds, learning_rates=rates)
        found |= {one.name: one for one in result.losses}
    return [found[name] for name in entrants]


def _by_decay(entrants: Mapping[str, Entrant]) -> dict[float, dict[str, Entrant]]:
    """Return the losses by their weight decay, each of which is compiled on its own."""
    found: dict[float, dict[str, Entrant]] = {}
    for name, one in entrants.items():
        found.setdefault(one.weight_decay, {})[name] = one
    return found
