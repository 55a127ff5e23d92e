"""Networks, images and losses of the training benchmarks, and the arithmetic of a step."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from glojax.datasets import Dataset, Split
from glojax.expressions import LossTree
from glojax.networks import CifarCNN, DigitsCNN, MnistCNN
from glojax.training import TrainingConfig

#: Expressions whose trainings stay finite; a larger population repeats them with other coefficients.
EXPRESSIONS = (
    "log(y) - x / y",
    "x * log(y)",
    "x * sqrt(y)",
    "x * log(y) - y^2",
    "x * log(y) * sqrt(x) - y",
    "x - (x * (log(y) - x))^2",
    "x * sqrt(y) - y * y",
    "log(y + x * y) - x / sqrt(y)",
)

#: Nodes that a program of them holds.
CAPACITY = 16

NUM_CLASSES = 10


class Layer(NamedTuple):
    """A convolution or dense layer: for each image a product of [pixels, inputs] and [inputs, outputs].

    Attributes:
        pixels: Positions that the kernel is applied to; 1 for a dense layer.
        inputs: Number of values that one output depends on: KH * KW * Cin, or the layer's inputs.
        outputs: Channels or features.
    """

    pixels: int
    inputs: int
    outputs: int


class Workload(NamedTuple):
    """A network, and the configuration of its training.

    Attributes:
        network: The network of glojax.
        parameters: Names of its layers that have parameters, in order.
        layers: Their shapes.
        input_shape: H, W and channels of the data set.
        config: The configuration of a training; `num_steps` are those of a turn.
        few_steps: Steps of a turn on a CPU under `jax.vmap` or in a compiled loop, where one may take a hundred times
            as long.
        gpu_steps: Steps of a turn on a GPU, so many that starting the turn is little of its time.
    """

    network: Callable[..., Any]
    parameters: tuple[str, ...]
    layers: tuple[Layer, ...]
    input_shape: tuple[int, int, int]
    config: TrainingConfig
    few_steps: int
    gpu_steps: int

    @property
    def gigaflop(self) -> float:
        """The operations of one step of one candidate, in 1e9."""
        return training_flops(self.layers, self.config.batch_size) / 1e9


WORKLOADS = {
    "digits": Workload(
        DigitsCNN,
        ("block1", "block2", "hidden", "output"),
        (Layer(8 * 8, 3 * 3 * 1, 16), Layer(4 * 4, 3 * 3 * 16, 32), Layer(1, 2 * 2 * 32, 64), Layer(1, 64, 10)),
        (8, 8, 1),
        TrainingConfig(500, 64, learning_rate=0.01),
        few_steps=50,
        gpu_steps=500,
    ),
    "mnist": Workload(
        MnistCNN,
        ("block1", "block2", "hidden", "output"),
        (Layer(28 * 28, 5 * 5, 32), Layer(14 * 14, 5 * 5 * 32, 64), Layer(1, 7 * 7 * 64, 1024), Layer(1, 1024, 10)),
        (28, 28, 1),
        TrainingConfig(60, 100, learning_rate=0.01),
        few_steps=1,
        gpu_steps=200,
    ),
    "cifar": Workload(
        CifarCNN,
        ("convolution1", "convolution2", "hidden1", "hidden2", "output"),
        (
            Layer(24 * 24, 5 * 5 * 3, 64),
            Layer(12 * 12, 5 * 5 * 64, 64),
            Layer(1, 6 * 6 * 64, 384),
            Layer(1, 384, 192),
            Layer(1, 192, 10),
        ),
        (32, 32, 3),
        TrainingConfig(2, 1024, learning_rate=0.001, weight_decay=0.004, augmentation="cifar"),
        few_steps=1,
        gpu_steps=20,
    ),
}


def training_flops(layers: Sequence[Layer], batch_size: int) -> int:
    """Return the floating-point operations of the layers' matrix products in one training step.

    A product of [M, K] and [K, N] is 2 M K N operations. Forward there is one, backward one for the kernel and one for
    the input, which the first layer's images do not need. Pooling, activations, normalisation, loss and update are left
    out, as they are few.
    """
    products = [2 * batch_size * layer.pixels * layer.inputs * layer.outputs for layer in layers]
    return 3 * sum(products) - products[0]


def loss_trees(count: int) -> list[LossTree]:
    """Return `count` different losses."""
    trees = [LossTree.parse(text) for text in EXPRESSIONS]
    rounds = (1 + 0.01 * (index // len(trees)) for index in range(count))
    return [
        trees[index % len(trees)] if factor == 1 else _scaled(trees[index % len(trees)], factor)
        for index, factor in enumerate(rounds)
    ]


def random_dataset(input_shape: tuple[int, int, int], num_images: int = 10_000, num_evaluated: int = 100) -> Dataset:
    """Return a data set of random images and labels; few of them are evaluated, so that steps are most of the work."""
    rng = np.random.default_rng(0)

    def split(num_images: int) -> Split:
        images = rng.integers(0, 256, (num_images, *input_shape), dtype=np.uint8)
        return Split(images, rng.integers(0, NUM_CLASSES, num_images, dtype=np.int32))

    return Dataset("random", split(num_images), split(num_evaluated), split(num_evaluated), NUM_CLASSES)


def _scaled(tree: LossTree, factor: float) -> LossTree:
    return tree.with_coefficients([factor * tree.coefficients[0], *tree.coefficients[1:]])
