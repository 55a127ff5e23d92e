"""Checks that network, data set and configuration fit each other."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.networks import DecayedParam, NetworkFactory, PureNetwork
from glojax.training.augmentation import CROP_SIZE, augmented_shape
from glojax.training.config import TrainingConfig
from glojax.training.metrics import find_metric
from glojax.training.named_functions import calling


def check_training(network: NetworkFactory, dataset: Dataset, config: TrainingConfig) -> None:
    """Raise the ConfigurationError that `make_train` would, without putting data on a device."""
    if dataset.task != "classification" or dataset.train.targets.ndim != 1:
        raise ConfigurationError(f"{dataset.name} is for {dataset.task}; expected one class for each example.")
    if config.batch_size > len(dataset.train):
        raise ConfigurationError(
            f"batch_size is {config.batch_size}, but {dataset.name} has {len(dataset.train)} training examples; "
            "lower the batch size."
        )
    if dataset.test is None and "test" in config.splits:
        raise ConfigurationError(
            f"splits is {config.splits!r}, but {dataset.name} has no test set; give it one, or leave 'test' out."
        )
    is_images = len(dataset.input_shape) == 3
    if config.augmentation == "cifar" and not (is_images and min(dataset.input_shape[:2]) >= CROP_SIZE):
        raise ConfigurationError(
            f"augmentation is 'cifar', which crops {CROP_SIZE}x{CROP_SIZE} pixels, but inputs of {dataset.name} have "
            f"shape {dataset.input_shape}; choose augmentation 'none' for them."
        )
    shape = augmented_shape(config.augmentation, dataset.input_shape)
    cropped = "" if shape == dataset.input_shape else f", cropped from {dataset.input_shape}"
    if isinstance(network, nnx.Module):
        raise ConfigurationError(
            f"Got a {type(network).__name__} for the network; expected the class, or a function that builds one from "
            "nnx.Rngs."
        )
    name = getattr(network, "__name__", repr(network))
    pure, key = PureNetwork(network, shape, dataset.num_outputs), jax.eval_shape(lambda: jax.random.key(0))
    with calling(f"{name} cannot be made as network(rngs), with nnx.Rngs. It says"):
        params, rest = jax.eval_shape(pure.init, key)
    if not jax.tree.leaves(params):
        raise ConfigurationError(f"{name} has no nnx.Param; there is nothing to train.")
    dtype = dataset.train.inputs.dtype
    inputs = jax.ShapeDtypeStruct((1, *shape), jnp.float32 if dtype == jnp.uint8 else dtype)
    with calling(
        f"{name} does not take inputs of shape {shape} ({dataset.name}{cropped}), or cannot be called as "
        "network(inputs), in training with dropout_key=key or rngs=nnx.Rngs(key) where it has such a parameter; "
        "choose a network made for them. It says"
    ):
        _, new_rest = jax.eval_shape(pure.train_outputs, params, rest, inputs, key)
        logits = jax.eval_shape(pure.outputs, params, rest, inputs)
    shapes, new_shapes = ([(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(each)] for each in (rest, new_rest))
    if new_shapes != shapes:
        raise ConfigurationError(f"{name} changes the shape or dtype of its state when it is called.")
    if logits.shape != (1, dataset.num_outputs):
        raise ConfigurationError(
            f"{name} gives logits of shape {logits.shape[1:]} where {dataset.name} has {dataset.num_outputs} "
            "classes; choose a network made for it."
        )
    label = jax.ShapeDtypeStruct((1,), jnp.int32)
    with calling(f"metric {config.metric} cannot be called with logits [B, {dataset.num_outputs}] and labels [B]"):
        scores = jax.eval_shape(find_metric(config.metric), jax.ShapeDtypeStruct(logits.shape, jnp.float32), label)
    if (scores.shape, scores.dtype) != ((1,), jnp.float32):
        raise ConfigurationError(
            f"metric {config.metric} gives {scores.dtype} of shape {scores.shape} for one image; expected [B] float32."
        )
    if config.weight_decay > 0 and not any(jax.tree.leaves(decayed(params))):
        raise ConfigurationError(
            f"weight_decay is {config.weight_decay}, but {name} marks no parameter to decay; set it to 0, or "
            "make parameters of the network a DecayedParam."
        )


def decayed(params: Any) -> Any:
    """Return for each parameter of a network whether weight decay acts on it."""
    return jax.tree.map(
        lambda node: isinstance(node, DecayedParam), params, is_leaf=lambda node: isinstance(node, nnx.Variable)
    )
