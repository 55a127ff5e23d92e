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
    if isinstance(network, nnx.Module):
        raise ConfigurationError(
            f"Got a {type(network).__name__} for the network; expected the class, or a function that builds one from "
            "nnx.Rngs."
        )
    name = getattr(network, "__name__", repr(network))
    pure, key = PureNetwork(network, shape, dataset.num_classes), jax.eval_shape(lambda: jax.random.key(0))
    with calling(f"{name} cannot be made as network(rngs), with nnx.Rngs. It says"):
        params, rest = jax.eval_shape(pure.init, key)
    if not jax.tree.leaves(params):
        raise ConfigurationError(f"{name} has no nnx.Param; there is nothing to train.")
    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    with calling(
        f"{name} does not take images of shape {shape} ({dataset.name}{cropped}), or cannot be called as "
        "network(images), in training with dropout_key=key or rngs=nnx.Rngs(key) where it has such a parameter; "
        "choose a network made for them. It says"
    ):
        _, new_rest = jax.eval_shape(pure.train_logits, params, rest, image, key)
        logits = jax.eval_shape(pure.logits, params, rest, image)
    shapes, new_shapes = ([(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(each)] for each in (rest, new_rest))
    if new_shapes != shapes:
        raise ConfigurationError(f"{name} changes the shape or dtype of its state when it is called.")
    if logits.shape != (1, dataset.num_classes):
        raise ConfigurationError(
            f"{name} gives logits of shape {logits.shape[1:]} where {dataset.name} has {dataset.num_classes} "
            "classes; choose a network made for it."
        )
    label = jax.ShapeDtypeStruct((1,), jnp.int32)
    with calling(f"metric {config.metric} cannot be called with logits [B, {dataset.num_classes}] and labels [B]"):
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
