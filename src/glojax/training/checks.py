"""Whether network, data set and configuration fit each other."""

import jax
import jax.numpy as jnp
from flax import nnx

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.networks import NetworkFactory, fitted
from glojax.training.augmentation import CROP_SIZE, augmented_shape
from glojax.training.config import TrainingConfig
from glojax.training.gradient_step import decayed
from glojax.training.metrics import find_metric


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
    if isinstance(network, nnx.Module):
        raise ConfigurationError(
            f"Got a {type(network).__name__} for the network; expected the class, or what makes one from nnx.Rngs."
        )
    try:
        model = nnx.eval_shape(lambda: fitted(network, shape, dataset.num_classes)(nnx.Rngs(0)))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{_name(network)} cannot be made as network(rngs), with nnx.Rngs. It says: {_first_line(error)}"
        ) from error
    rest = nnx.state(model, nnx.Not(nnx.Param))
    if rest:
        names = ", ".join(".".join(map(str, path)) for path, _ in nnx.to_flat_state(rest))
        raise ConfigurationError(
            f"{_name(network)} has state other than parameters: {names}; only networks whose state is parameters can "
            "be trained. Dropout gets its key when it is called, as in MnistCNN."
        )
    try:
        logits = nnx.eval_shape(lambda model, images: model(images), model, image)
        nnx.eval_shape(lambda model, images: model(images, dropout_key=jax.random.key(0)), model, image)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{_name(network)} does not take images of shape {shape} ({dataset.name}{cropped}), or cannot be called as "
            "network(images) and network(images, dropout_key=key); choose a network made for them. It says: "
            f"{_first_line(error)}"
        ) from error
    if logits.shape != (1, dataset.num_classes):
        raise ConfigurationError(
            f"{_name(network)} gives logits of shape {logits.shape[1:]} where {dataset.name} has {dataset.num_classes} "
            "classes; choose a network made for it."
        )
    label = jax.ShapeDtypeStruct((1,), jnp.int32)
    scores = jax.eval_shape(find_metric(config.metric), jax.ShapeDtypeStruct(logits.shape, jnp.float32), label)
    if (scores.shape, scores.dtype) != ((1,), jnp.float32):
        raise ConfigurationError(
            f"metric {config.metric} gives {scores.dtype} of shape {scores.shape} for one image; expected [B] float32."
        )
    if config.weight_decay > 0 and not any(jax.tree.leaves(decayed(nnx.state(model, nnx.Param)))):
        raise ConfigurationError(
            f"weight_decay is {config.weight_decay}, but {_name(network)} marks no parameter to decay; set it to 0, or "
            "make parameters of the network a DecayedParam."
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _name(network: NetworkFactory) -> str:
    return getattr(network, "__name__", repr(network))
