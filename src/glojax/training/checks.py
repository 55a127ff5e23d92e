"""Checks that network, data set and configuration fit each other."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.networks import DecayedParam, NetworkFactory, PureNetwork
from glojax.tasks import METRICS, TASKS, Task
from glojax.training.augmentation import CROP_SIZE, seen_shape_and_dtype
from glojax.training.config import TrainingConfig
from glojax.training.metrics import find_metric, metric_name
from glojax.training.named_functions import calling
from glojax.training.network_checks import check_network


def check_training(network: NetworkFactory, dataset: Dataset, config: TrainingConfig) -> None:
    """Raise the ConfigurationError that `make_train` would, without putting data on a device."""
    task = TASKS[dataset.task]
    if config.batch_size > len(dataset.train):
        raise ConfigurationError(
            f"batch_size is {config.batch_size}, but {dataset.name} has {len(dataset.train)} training examples; "
            "lower the batch size."
        )
    if dataset.test is None and "test" in config.splits:
        raise ConfigurationError(
            f"splits is {config.splits!r}, but {dataset.name} has no test set; give it one, or leave 'test' out."
        )
    if config.counts_classes and task.link != "softmax":
        raise ConfigurationError(f"counts_classes is True, but the task {task.name} of {dataset.name} has no classes.")
    is_cropped = config.augmentation == "cifar"
    if is_cropped and task.name == "segmentation":
        raise ConfigurationError(
            f"augmentation is 'cifar', which crops and flips images, but not the classes of pixels that {dataset.name} "
            "has; choose augmentation 'none' for them."
        )
    is_image = isinstance(dataset.train.inputs, np.ndarray) and len(dataset.input_shape) == 3
    if is_cropped and not (is_image and min(dataset.input_shape[:2]) >= CROP_SIZE):
        raise ConfigurationError(
            f"augmentation is 'cifar', which crops {CROP_SIZE}x{CROP_SIZE} pixels, but inputs of {dataset.name} have "
            f"shape {dataset.input_shape}; choose augmentation 'none' for them."
        )
    _check_network(network, dataset, config, task)
    _check_metric(dataset, config, task)


def _check_network(network: NetworkFactory, dataset: Dataset, config: TrainingConfig, task: Task) -> None:
    shape, dtype = seen_shape_and_dtype(config.augmentation, dataset.train.inputs)
    cropped = "" if shape == dataset.input_shape else f", cropped from {dataset.input_shape}"
    pure = PureNetwork(network, shape, dataset.num_outputs, input_dtype=dtype)
    name, params, outputs = check_network(pure, f"{dataset.name}{cropped}")
    expected = task.output_shape(dataset.train.targets.shape[1:], dataset.num_outputs)
    if outputs.shape != (1, *expected):
        raise ConfigurationError(
            f"{name} gives outputs of shape {outputs.shape[1:]} where the {task.name} of {dataset.name} needs "
            f"{expected}; choose a network made for it."
        )
    if config.weight_decay > 0 and not any(jax.tree.leaves(decayed(params))):
        raise ConfigurationError(
            f"weight_decay is {config.weight_decay}, but {name} marks no parameter to decay; set it to 0, or "
            "make parameters of the network a DecayedParam."
        )


def _check_metric(dataset: Dataset, config: TrainingConfig, task: Task) -> None:
    """Call a metric that was named or given, for outputs of noise."""
    if config.metric is None or config.metric == task.metrics[0]:
        return
    name = metric_name(config.metric)
    if name in METRICS and name not in task.metrics:
        raise ConfigurationError(
            f"metric is {name!r}, which is none for {task.name}; expected one of {', '.join(task.metrics)}, or a "
            "function."
        )
    rng = np.random.default_rng(0)
    for split_name in config.splits:
        split = dataset.splits[split_name]
        shape = (len(split), *task.output_shape(split.targets.shape[1:], dataset.num_outputs))
        outputs = rng.standard_normal(shape, np.float32)
        weights = np.ones(len(split), np.float32) if split.weights is None else split.weights
        with calling(f"metric {name} cannot be called with outputs {shape}, targets {split.targets.shape} and weights"):
            score = jax.jit(find_metric(config.metric))(outputs, split.targets, weights)
        if (jnp.shape(score), jnp.result_type(score)) != ((), jnp.float32):
            raise ConfigurationError(
                f"metric {name} gives {jnp.result_type(score)} of shape {jnp.shape(score)}; expected one float32."
            )
        if not np.isfinite(score):
            raise ConfigurationError(
                f"metric {name} is {score} on the {split_name} split of {dataset.name} for outputs of noise; expected "
                "a finite number: every class may need an example there."
            )


def decayed(params: Any) -> Any:
    """Return for each parameter of a network whether weight decay acts on it."""
    return jax.tree.map(
        lambda node: isinstance(node, DecayedParam), params, is_leaf=lambda node: isinstance(node, nnx.Variable)
    )
