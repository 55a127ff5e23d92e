"""A training between two steps, and its result."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from glojax.tasks import ClassCounts


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainResult:
    """The result of a training, or of P of them along a leading axis.

    Attributes:
        scores: The metric on each evaluated split, [...] float32; 0 where the training was not finite.
        finite: [...] bool; whether loss and network stayed finite to the end, and the scores are finite; otherwise the
            training has failed.
        num_steps: [...] int32; steps taken, fewer than configured only where a non-finite loss or patience ended the
            training.
        curve: [..., K] float32; the metric on the validation split after each of the configuration's
            `evaluated_steps`, NaN from the end of a training on. None without `evaluate_every`.
        class_counts: The predicted classes on the test split, 0 where the training was not finite. None without
            `counts_classes`.
    """

    scores: dict[str, jax.Array]
    finite: jax.Array
    num_steps: jax.Array
    curve: jax.Array | None = None
    class_counts: ClassCounts | None = None


class Best(NamedTuple):
    """The best network so far, by the validation split, or K of them along a leading axis.

    Attributes:
        params: The network's parameters; before the first evaluation the initial ones.
        rest: The network's other state.
        fitness: [...] float32; its score, or minus its score where lower is better; minus infinity before the first.
        patience: [...] int32; evaluations without a better one after which training stops; 0 where it has stopped.
    """

    params: Any
    rest: Any
    fitness: jax.Array
    patience: jax.Array


class TrainState(NamedTuple):
    """A training between two steps, or K of them along a leading axis.

    Attributes:
        params: The network's parameters.
        rest: The network's other state, such as batch statistics.
        optimizer: The optimizer's state.
        num_steps: [...] int32; steps taken.
        finite: [...] bool; whether the loss has been finite so far. Of no meaning once patience has ended the training.
        curve: The result's, so far; None without `evaluate_every`.
        best: None without `patience`.
    """

    params: Any
    rest: Any
    optimizer: optax.OptState
    num_steps: jax.Array
    finite: jax.Array
    curve: jax.Array | None = None
    best: Best | None = None

    @property
    def is_training(self) -> jax.Array:
        """Whether further steps count, [...] bool."""
        return self.finite if self.best is None else self.finite & (self.best.patience > 0)

    @property
    def kept(self) -> "TrainState":
        """The state of what is kept in the end: with patience the best network, else the last one."""
        if self.best is None:
            return self
        finite = (self.finite | (self.best.patience == 0)) & jnp.isfinite(self.best.fitness)
        return self._replace(params=self.best.params, rest=self.best.rest, finite=finite)

    def with_score(self, index: jax.Array, score: jax.Array, fitness: jax.Array, patience: int) -> "TrainState":
        """Return the state of one candidate after the evaluation of this index; `patience` is that after a better one.

        The evaluation counts while the training goes on.
        """
        assert self.curve is not None
        curve = self.curve.at[index].set(jnp.where(self.is_training, score, jnp.nan))
        if self.best is None:
            return self._replace(curve=curve)
        is_better = self.is_training & (fitness > self.best.fitness)
        left = self.best.patience - self.is_training.astype(jnp.int32)
        new = Best(self.params, self.rest, fitness, jnp.full_like(left, patience))
        best = jax.tree.map(partial(jnp.where, is_better), new, self.best._replace(patience=left))
        return self._replace(curve=curve, best=best)
