"""The training of one candidate as a pure function."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import lax

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.losses import LossProgram, interpret, objective
from glojax.networks import NetworkFactory, fitted
from glojax.training.augmentation import CROP_SIZE, augmented_shape, evaluation_images, training_images
from glojax.training.config import TrainingConfig
from glojax.training.metrics import accuracy
from glojax.training.optimizer import decayed, make_optimizer

#: `train(program, key, learning_rate=None) -> TrainResult`: see `make_train`.
Train = Callable[..., "TrainResult"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainResult:
    """What came of a training, or of P of them along a leading axis.

    Attributes:
        accuracy: For each evaluated split, [...] float32 in [0, 1]; 0 where the training was not finite.
        finite: [...] bool; whether loss, gradient and parameters stayed finite to the end.
        num_steps: [...] int32; steps taken, fewer than asked only where a non-finite loss ended the training.
    """

    accuracy: dict[str, jax.Array]
    finite: jax.Array
    num_steps: jax.Array


class _State(NamedTuple):
    """What a step changes."""

    params: Any
    optimizer: optax.OptState
    num_steps: jax.Array
    finite: jax.Array


def make_train(network: NetworkFactory, dataset: Dataset, config: TrainingConfig) -> Train:
    """A function that trains a fresh network with any loss program.

    The function is pure, and works under `jit`, `vmap`, `lax.map` and `shard_map`. It is a pytree (a
    `jax.tree_util.Partial`) whose leaves are the data, so that it can be given to a jitted function as an argument and
    be put on a device. For one key, every program sees the same initial network, batches, augmentation and dropout.

    A training ends early once a loss is not finite. That is exact: its fitness is 0 in any case, since plain SGD never
    makes a non-finite parameter finite again.

    Args:
        network: Makes the Flax NNX module from `nnx.Rngs`; all of its state must be parameters. One with a class method
            `for_images(image_shape, num_classes)`, as `SmallCNN` has, is fitted to the data set first.
        dataset: Trained on and evaluated. Each epoch is a fresh shuffle; images beyond whole batches wait for the next.
        config: Budget and hyperparameters.

    Returns:
        `train(program, key, learning_rate=None) -> TrainResult`, where `program` is one `LossProgram`, `key` a typed
        JAX key and `learning_rate` a scalar that replaces the configuration's.

    Raises:
        ConfigurationError: A batch is larger than the training split, the images are too small for the augmentation,
            the network does not fit the images, has state that is not a parameter, or nothing that decays where weight
            decay is asked for.
    """
    check_training(network, dataset, config)
    splits = {"train": dataset.train} | {split: getattr(dataset, split) for split in config.splits}
    data = {split: (jnp.asarray(arrays.images), jnp.asarray(arrays.labels)) for split, arrays in splits.items()}
    shape = augmented_shape(config.augmentation, dataset.image_shape)
    return jax.tree_util.Partial(_training(network, shape, dataset.num_classes, config), data)


def check_training(network: NetworkFactory, dataset: Dataset, config: TrainingConfig) -> None:
    """Raise the ConfigurationError that `make_train` would, without putting data on a device."""
    num_images = len(dataset.train.labels)
    if config.batch_size > num_images:
        raise ConfigurationError(
            f"batch_size is {config.batch_size}, but {dataset.name} has {num_images} training images; "
            "lower the batch size."
        )
    if config.augmentation == "cifar" and min(dataset.image_shape[:2]) < CROP_SIZE:
        raise ConfigurationError(
            f"augmentation is 'cifar', which crops {CROP_SIZE}x{CROP_SIZE} pixels, but images of {dataset.name} have "
            f"shape {dataset.image_shape}; choose augmentation 'none' for them."
        )
    shape = augmented_shape(config.augmentation, dataset.image_shape)
    cropped = "" if shape == dataset.image_shape else f", cropped from {dataset.image_shape}"
    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    try:
        model = nnx.eval_shape(lambda: fitted(network, shape, dataset.num_classes)(nnx.Rngs(0)))
        rest = nnx.state(model, nnx.Not(nnx.Param))
        logits = nnx.eval_shape(lambda model, images: model(images), model, image)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{_name(network)} does not take images of shape {shape} ({dataset.name}{cropped}); choose a network "
            f"made for them. It says: {(str(error).splitlines() or [type(error).__name__])[0]}"
        ) from error
    if rest:
        names = ", ".join(".".join(map(str, path)) for path, _ in nnx.to_flat_state(rest))
        raise ConfigurationError(
            f"{_name(network)} has state other than parameters: {names}; "
            "only networks whose state is parameters can be trained."
        )
    if logits.shape != (1, dataset.num_classes):
        raise ConfigurationError(
            f"{_name(network)} gives logits of shape {logits.shape[1:]} where {dataset.name} has {dataset.num_classes} "
            "classes; choose a network made for it."
        )
    if config.weight_decay > 0 and not any(jax.tree.leaves(decayed(nnx.state(model, nnx.Param)))):
        raise ConfigurationError(
            f"weight_decay is {config.weight_decay}, but {_name(network)} marks no parameter to decay; set it to 0, or "
            "make parameters of the network a DecayedParam."
        )


def _name(network: NetworkFactory) -> str:
    return getattr(network, "__name__", repr(network))


@lru_cache(maxsize=32)
def _training(
    network: NetworkFactory, image_shape: tuple[int, int, int], num_classes: int, config: TrainingConfig
) -> Train:
    """The function behind `make_train`, the same object for the same arguments, so that `jit` knows it again."""
    build = fitted(network, image_shape, num_classes)
    graphdef = nnx.split(nnx.eval_shape(lambda: build(nnx.Rngs(0))))[0]

    def train(
        data: dict[str, tuple[jax.Array, jax.Array]],
        program: LossProgram,
        key: jax.Array,
        learning_rate: jax.Array | float | None = None,
    ) -> TrainResult:
        network_key, shuffle_key, dropout_key = jax.random.split(key, 3)
        images, labels = data["train"]
        steps_per_epoch = labels.shape[0] // config.batch_size
        rate = config.learning_rate if learning_rate is None else learning_rate
        optimizer = make_optimizer(config, rate, steps_per_epoch)

        def loss_fn(params: Any, places: jax.Array, key: jax.Array) -> jax.Array:
            # Dropout draws from the key itself.
            batch = training_images(config.augmentation, jax.random.fold_in(key, 1), images, places)
            logits = nnx.merge(graphdef, params)(batch, dropout_key=key)
            one_hot = jax.nn.one_hot(labels[places], num_classes, dtype=logits.dtype)
            losses = objective(interpret, config.class_reduction, config.prob_epsilon, program, one_hot, logits)
            return jnp.mean(losses)

        def run_epoch(state: _State) -> _State:
            epoch = state.num_steps // steps_per_epoch
            order = jax.random.permutation(jax.random.fold_in(shuffle_key, epoch), labels.shape[0])
            last_step = jnp.minimum((epoch + 1) * steps_per_epoch, config.num_steps)

            def run_step(state: _State) -> _State:
                start = state.num_steps % steps_per_epoch * config.batch_size
                places = lax.dynamic_slice_in_dim(order, start, config.batch_size)
                key = jax.random.fold_in(dropout_key, state.num_steps)
                loss, gradient = jax.value_and_grad(loss_fn)(state.params, places, key)
                updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
                params = optax.apply_updates(state.params, updates)
                return _State(params, optimizer_state, state.num_steps + 1, jnp.isfinite(loss))

            return lax.while_loop(lambda state: state.finite & (state.num_steps < last_step), run_step, state)

        params = nnx.state(build(nnx.Rngs(network_key)), nnx.Param)
        state = _State(params, optimizer.init(params), jnp.asarray(0, jnp.int32), jnp.asarray(True))
        state = lax.while_loop(lambda state: state.finite & (state.num_steps < config.num_steps), run_epoch, state)

        model = nnx.merge(graphdef, state.params)
        finite_params = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)]).all()
        finite = state.finite & finite_params

        def logits_fn(images: jax.Array) -> jax.Array:
            return model(evaluation_images(config.augmentation, images))

        accuracies = {split: jnp.where(finite, accuracy(logits_fn, *data[split]), 0) for split in config.splits}
        return TrainResult(accuracies, finite, state.num_steps)

    return train
