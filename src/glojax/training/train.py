"""The training of one candidate, or of several in step, as pure functions."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from glojax.datasets import Dataset, Split
from glojax.errors import ConfigurationError
from glojax.losses import LossProgram, interpret
from glojax.losses.links import LINKS
from glojax.losses.objective import computing_dtype, objective
from glojax.networks import ConvolutionLowering, NetworkFactory, PureNetwork, default_lowering
from glojax.tasks import TASKS, Metric, Task, count_classes
from glojax.training.augmentation import evaluation_inputs, seen_shape_and_dtype, training_inputs
from glojax.training.checks import check_training
from glojax.training.config import TrainingConfig
from glojax.training.metrics import find_metric, outputs_of
from glojax.training.optimizer import PLAIN_SGD
from glojax.training.schedule import gradient_transformation, learning_rate_at
from glojax.training.state import Best, TrainResult, TrainState

#: The inputs, x, weights (None for equal ones) and dropout key of one step.
_Batch = tuple[Any, jax.Array, jax.Array | None, jax.Array]

_STATIC: Any = {"static": True}


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Train:
    """Trains fresh networks with any loss programs; see `make_train`.

    A pytree whose leaves are the data, so that it can be an argument of a jitted function and be put on a device. A
    call trains one candidate from beginning to end; `begin`, `advance` and `finish` do the same in parts, also for K
    candidates in step, whose program, learning rate and state have a leading axis [K].

    K candidates either share one typed JAX key, and with it batches, augmentation and dropout, which are then drawn
    once, or have keys [K] of their own.

    Attributes:
        data: Inputs (an array or a pytree of them), targets and weights (None for equal ones) of each split.
        network: Builds the Flax NNX module.
        num_outputs: C, or K numbers.
        task: What the network learns.
        config: Budget and hyperparameters.
        conv_lowering: Form of convolutions; None for that of `default_lowering`.
    """

    data: dict[str, tuple[Any, jax.Array, jax.Array | None]]
    network: NetworkFactory = field(metadata=_STATIC)
    num_outputs: int = field(metadata=_STATIC)
    task: Task = field(metadata=_STATIC)
    config: TrainingConfig = field(metadata=_STATIC)
    conv_lowering: ConvolutionLowering | None = field(metadata=_STATIC)

    def __call__(
        self, program: LossProgram, key: jax.Array, learning_rate: jax.Array | float | None = None
    ) -> TrainResult:
        """Train one candidate; `learning_rate` replaces the configuration's."""
        rate = jnp.asarray(self.config.learning_rate if learning_rate is None else learning_rate, jnp.float32)
        return self.finish(self.advance(self.begin(key), program, key, rate, 0, self.config.num_steps))

    def begin(self, key: jax.Array) -> TrainState:
        """Return the state before the first step, or one for each of the keys [K]."""
        if key.ndim:
            return jax.vmap(self.begin)(key)
        network_key, _, _ = jax.random.split(key, 3)
        params, rest = self.pure_network.init(network_key)
        # An optimizer whose initial state depends on the learning rate is refused.
        optimizer = gradient_transformation(self.config, self.config.learning_rate)
        state = TrainState(params, rest, optimizer.init(params), jnp.asarray(0, jnp.int32), jnp.asarray(True))
        if self.config.evaluate_every is not None:
            state = state._replace(curve=jnp.full(len(self.config.evaluated_steps), jnp.nan, jnp.float32))
        if self.config.patience is not None:
            patience = jnp.asarray(self.config.patience, jnp.int32)
            state = state._replace(best=Best(params, rest, jnp.asarray(-jnp.inf, jnp.float32), patience))
        return state

    def advance(
        self,
        state: TrainState,
        program: LossProgram,
        key: jax.Array,
        learning_rate: jax.Array,
        start: jax.Array | int,
        stop: jax.Array | int,
    ) -> TrainState:
        """Take the steps from `start` to before `stop`, or fewer if all candidates have come to their end."""
        if program.domain != self.task.domain:
            raise ConfigurationError(
                f"The program is written for the domain {program.domain!r}, but x and y of {self.task.name} are in "
                f"{self.task.domain!r}: write it with LossProgram.from_trees(..., domain={self.task.domain!r})."
            )

        every = self.config.evaluate_every

        def run_epoch(begin: tuple[jax.Array, TrainState]) -> tuple[jax.Array, TrainState]:
            """Take the steps of an epoch, or those to the next evaluation."""
            epoch = begin[0] // self._steps_per_epoch
            order = self._order(epoch, key)
            last_step = jnp.minimum((epoch + 1) * self._steps_per_epoch, stop)
            if every is not None:
                last_step = jnp.minimum(last_step, (begin[0] // every + 1) * every)

            def run_step(now: tuple[jax.Array, TrainState]) -> tuple[jax.Array, TrainState]:
                step, state = now
                batch = self._batch(step, key, order)
                return step + 1, self._update(state, program, learning_rate, batch)

            step, state = lax.while_loop(lambda now: (now[0] < last_step) & now[1].is_training.any(), run_step, begin)
            if every is not None:
                is_due = (step % every == 0) | (step == self.config.num_steps)
                state = lax.cond(is_due, partial(self._evaluated, (step - 1) // every), lambda state: state, state)
            return step, state

        begin = (jnp.asarray(start, jnp.int32), state)
        return lax.while_loop(lambda now: (now[0] < stop) & now[1].is_training.any(), run_epoch, begin)[1]

    def finish(self, state: TrainState) -> TrainResult:
        """Measure the scores."""
        if state.finite.ndim:
            return jax.vmap(self.finish)(state)
        state = state.kept
        leaves = jax.tree.leaves((state.params, state.rest))
        floats = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]
        finite = state.finite & jnp.stack([jnp.isfinite(leaf).all() for leaf in floats]).all()
        scores = {split: self.score(state, split) for split in self.config.splits}
        finite &= jnp.isfinite(jnp.stack([*scores.values()])).all()
        counts = count_classes(*self._outcome(state, "test")) if self.config.counts_classes else None
        scores, counts = jax.tree.map(lambda value: jnp.where(finite, value, 0), (scores, counts))
        return TrainResult(scores, finite, state.num_steps, state.curve, counts)

    def predict(self, state: TrainState, split: str) -> jax.Array:
        """Return y for a split's inputs, in evaluation: class probabilities [N, C], or [K, N, C] of K candidates."""
        if state.finite.ndim:
            return jax.vmap(partial(self.predict, split=split))(state)
        return self.task.predictions(self._outputs(state, split))

    def score(self, state: TrainState, split: str) -> jax.Array:
        """Return the metric [] of one candidate's network on a split."""
        return self.metric(*self._outcome(state, split))

    def _outcome(self, state: TrainState, split: str) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return outputs [N, ...], targets [N, ...] and weights [N] of a split."""
        _, targets, weights = self.data[split]
        weights = jnp.ones(targets.shape[0], jnp.float32) if weights is None else weights
        return self._outputs(state, split), targets, weights

    @property
    def metric(self) -> Metric:
        """The configuration's metric, or that of the task."""
        return find_metric(self.config.metric or self.task.metrics[0])

    @property
    def _steps_per_epoch(self) -> int:
        return self.data["train"][1].shape[0] // self.config.batch_size

    def _order(self, epoch: jax.Array, key: jax.Array) -> jax.Array:
        """Return the order of the training examples in an epoch, or one for each of the keys [K]."""
        if key.ndim:
            return jax.vmap(partial(self._order, epoch))(key)
        _, shuffle_key, _ = jax.random.split(key, 3)
        return jax.random.permutation(jax.random.fold_in(shuffle_key, epoch), self.data["train"][1].shape[0])

    def _batch(self, step: jax.Array, key: jax.Array, order: jax.Array) -> _Batch:
        """Return the batch of a step, or one for each of the keys [K]."""
        if key.ndim:
            return jax.vmap(partial(self._batch, step))(key, order)
        inputs, targets, weights = self.data["train"]
        batch_size = self.config.batch_size
        indices = lax.dynamic_slice_in_dim(order, step % self._steps_per_epoch * batch_size, batch_size)
        _, _, dropout_key = jax.random.split(key, 3)
        # Dropout draws from the key itself; augmentation from one folded in.
        step_key = jax.random.fold_in(dropout_key, step)
        batch = training_inputs(self.config.augmentation, jax.random.fold_in(step_key, 1), inputs, indices)
        labels = self.task.labels(targets[indices], self.num_outputs)
        return batch, labels, None if weights is None else weights[indices], step_key

    def _update(self, state: TrainState, program: LossProgram, learning_rate: jax.Array, batch: _Batch) -> TrainState:
        """Take one step, of one candidate or of K; batches [K] if they have keys of their own."""
        inputs, labels, weights, dropout_key = batch
        if state.finite.ndim:
            in_axes = (0, 0, 0, 0 if dropout_key.ndim else None)
            return jax.vmap(self._update, in_axes)(state, program, learning_rate, batch)
        config = self.config
        rate = learning_rate_at(config, learning_rate, state.num_steps, self._steps_per_epoch)
        # On an accelerator, plain SGD descends the loss times the rate: a product that makes a gradient then adds it to
        # the parameters, and gradients are never written.
        is_scaled = self._lowering != "canonical" and config.optimizer == PLAIN_SGD and config.weight_decay == 0
        optimizer = optax.scale(1) if is_scaled else gradient_transformation(config, rate)

        def loss_fn(params: Any) -> tuple[jax.Array, tuple[jax.Array, Any]]:
            outputs, rest = self.pure_network.train_outputs(params, state.rest, inputs, dropout_key)
            outputs = outputs.astype(computing_dtype(outputs.dtype))
            x = labels.astype(outputs.dtype)
            reduction, epsilon = config.class_reduction, config.prob_epsilon
            losses = objective(interpret, reduction, epsilon, program, x, outputs, link=LINKS[self.task.link])
            loss = _mean(losses, weights)
            return -rate * loss if is_scaled else loss, (loss, rest)

        (_, (loss, rest)), gradient = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
        # Several of optax's optimizers rely on the usual promotion of dtypes.
        with jax.numpy_dtype_promotion("standard"):
            updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
            params = optax.apply_updates(state.params, updates)
        # Steps after the end of a training do not count.
        num_steps = state.num_steps + state.is_training.astype(jnp.int32)
        finite = state.finite & jnp.isfinite(loss)
        return TrainState(params, rest, optimizer_state, num_steps, finite, state.curve, state.best)

    def _evaluated(self, index: jax.Array, state: TrainState) -> TrainState:
        """Return the state after the evaluation of this index on the validation split, of one candidate or of K."""
        if state.finite.ndim:
            return jax.vmap(partial(self._evaluated, index))(state)
        score = self.score(state, "validation")
        fitness = -score if self.metric.lower_is_better else score
        return state.with_score(index, score, fitness, self.config.patience or 0)

    def _outputs(self, state: TrainState, split: str) -> jax.Array:
        """Return outputs [N, ...] float32 for a split's inputs, in evaluation."""

        def outputs_fn(inputs: Any) -> jax.Array:
            inputs = evaluation_inputs(self.config.augmentation, inputs)
            return self.pure_network.outputs(state.params, state.rest, inputs)

        return outputs_of(outputs_fn, self.data[split][0])

    @property
    def pure_network(self) -> PureNetwork:
        """The initialization and the calls of the network."""
        shape, dtype = seen_shape_and_dtype(self.config.augmentation, self.data["train"][0])
        return PureNetwork(self.network, shape, self.num_outputs, self._lowering, self.config.precision, dtype)

    @property
    def shares_batches(self) -> bool:
        """Whether candidates with equal batches train faster than others, as their first layer is one convolution."""
        return self._lowering == "grouped"

    @property
    def _lowering(self) -> ConvolutionLowering:
        return self.conv_lowering or default_lowering(jax.local_devices()[0])


@jax.transfer_guard("allow")
def make_train(
    network: NetworkFactory,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    conv_lowering: ConvolutionLowering | None = None,
) -> Train:
    """Return a training of a fresh network with any loss program.

    It is pure, and works under `jit`, `vmap`, `lax.map` and `shard_map`. For one key, every program sees the same
    initial network, batches, augmentation and dropout.

    A non-finite loss ends a training early, whatever the optimizer: such a training has failed, and its scores are 0.

    Args:
        network: Builds the Flax NNX module from `nnx.Rngs`; see `PureNetwork` for how it is called. One with a class
            method `for_data(input_shape, num_outputs)`, as `SmallCNN` has, is fitted to the data set first.
        dataset: Each epoch is a fresh shuffle of its training examples; those beyond whole batches are left out.
        config: Budget and hyperparameters.
        conv_lowering: Form of convolutions; None for "canonical" on a CPU and, elsewhere, for what a device pool
            chooses, or without one for "implicit" on large NVIDIA GPUs and "grouped" on others.

    Returns:
        `train(program, key, learning_rate=None) -> TrainResult`, where `program` is one `LossProgram`, `key` a typed
        JAX key and `learning_rate` a scalar that replaces the configuration's.

    Raises:
        ConfigurationError: A batch is larger than the training split, the images are too small for the augmentation,
            the network does not fit the data, the metric does not score them, or no parameter decays although
            weight decay is configured.
    """
    check_training(network, dataset, config)
    splits = {name: dataset.splits[name] for name in ("train", *config.splits)}
    data = {name: _on_device(split) for name, split in splits.items()}
    return Train(data, network, dataset.num_outputs, TASKS[dataset.task], config, conv_lowering)


def _on_device(split: Split) -> tuple[Any, jax.Array, jax.Array | None]:
    inputs, targets, weights = jax.tree.map(jnp.asarray, (split.inputs, split.targets, split.weights))
    return inputs, targets, weights


def _mean(losses: jax.Array, weights: jax.Array | None) -> jax.Array:
    """Return the mean [] of losses [B, ...], of examples with weights [B]."""
    if weights is None:
        return jnp.mean(losses)
    weights = weights.astype(losses.dtype)
    total = weights.sum()
    # A batch may have no weight at all.
    return (weights * losses.reshape(losses.shape[0], -1).mean(axis=1)).sum() / jnp.where(total > 0, total, 1)
