"""The time of a training step of networks as Flax's users write them, in glojax and in a plain Flax loop.

    python -m benchmarks.users_networks

The networks have layers of Flax alone. The plain loop is that of Flax's tutorials: one jitted step a call, with
optax's SGD and cross-entropy. glojax trains with the same loss, as a program that it interprets, and makes the network
and measures its accuracy within a turn. On a CPU, one device has one core; with several, glojax trains a candidate on
each, and Flax has all cores for one.

    flax      `nnx.jit`, a step a call
    glojax    `DevicePool`
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, Literal, get_args

import jax
import jax.numpy as jnp
import optax
import tyro
from flax import nnx

from benchmarks.contestant import Contestant, Work
from benchmarks.measurement import Entry, Turns, measure, save
from benchmarks.pool_training import train, trainings_of
from benchmarks.record import Samples
from benchmarks.workloads import random_dataset
from glojax.evaluation import DevicePool, training_devices
from glojax.evaluation.runtime import num_cores
from glojax.expressions import LossTree
from glojax.training import TrainingConfig

NetworkName = Literal["tutorial", "resnet", "separable"]


class TutorialCNN(nnx.Module):
    """The network of Flax's MNIST tutorial."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(1, 32, kernel_size=(3, 3), rngs=rngs)
        self.batch_norm1 = nnx.BatchNorm(32, rngs=rngs)
        self.dropout1 = nnx.Dropout(rate=0.025)
        self.conv2 = nnx.Conv(32, 64, kernel_size=(3, 3), rngs=rngs)
        self.batch_norm2 = nnx.BatchNorm(64, rngs=rngs)
        self.avg_pool = partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
        self.linear1 = nnx.Linear(3136, 256, rngs=rngs)
        self.dropout2 = nnx.Dropout(rate=0.025)
        self.linear2 = nnx.Linear(256, 10, rngs=rngs)

    def __call__(self, x: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Return logits [B, 10] of images [B, 28, 28, 1]."""
        x = self.avg_pool(nnx.relu(self.batch_norm1(self.dropout1(self.conv1(x), rngs=rngs))))
        x = self.avg_pool(nnx.relu(self.batch_norm2(self.conv2(x))))
        x = nnx.relu(self.dropout2(self.linear1(x.reshape(x.shape[0], -1)), rngs=rngs))
        logits: jax.Array = self.linear2(x)
        return logits


class ResidualBlock(nnx.Module):
    """Two 3x3 convolutions with batch normalization, and a shortcut, which is a convolution where shapes differ."""

    def __init__(self, in_features: int, out_features: int, stride: int, *, rngs: nnx.Rngs):
        conv = partial(nnx.Conv, use_bias=False, rngs=rngs)
        self.conv1 = conv(in_features, out_features, (3, 3), strides=stride)
        self.norm1 = nnx.BatchNorm(out_features, rngs=rngs)
        self.conv2 = conv(out_features, out_features, (3, 3))
        self.norm2 = nnx.BatchNorm(out_features, rngs=rngs)
        self.shortcut = conv(in_features, out_features, (1, 1), strides=stride) if stride > 1 else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return features [B, H / stride, W / stride, out_features] of features [B, H, W, in_features]."""
        y = self.norm2(self.conv2(nnx.relu(self.norm1(self.conv1(x)))))
        return nnx.relu(y + (self.shortcut(x) if self.shortcut else x))


class SmallResNet(nnx.Module):
    """A convolution 16, residual blocks with 16, 32 and 64 features, and the mean over the image."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(3, 16, (3, 3), use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        shapes = ((16, 16, 1), (16, 32, 2), (32, 64, 2))
        self.blocks = nnx.List([ResidualBlock(*shape, rngs=rngs) for shape in shapes])
        self.output = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return logits [B, 10] of images [B, 32, 32, 3]."""
        x = nnx.relu(self.norm(self.conv(x)))
        for block in self.blocks:
            x = block(x)
        logits: jax.Array = self.output(x.mean(axis=(1, 2)))
        return logits


class SeparableCNN(nnx.Module):
    """A convolution 32 at stride 2, three pairs of depthwise and 1x1 convolutions, max-pooling, and a dense layer."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(3, 32, (3, 3), strides=2, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(32, rngs=rngs)
        layers: list[Any] = []
        for inputs, outputs, stride in ((32, 64, 1), (64, 128, 2), (128, 128, 1)):
            layers += [
                nnx.Conv(inputs, inputs, (3, 3), strides=stride, feature_group_count=inputs, use_bias=False, rngs=rngs),
                nnx.BatchNorm(inputs, rngs=rngs),
                nnx.Conv(inputs, outputs, (1, 1), use_bias=False, rngs=rngs),
                nnx.BatchNorm(outputs, rngs=rngs),
            ]
        self.layers = nnx.List(layers)
        self.output = nnx.Linear(4 * 4 * 128, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Return logits [B, 10] of images [B, 32, 32, 3]."""
        x = nnx.relu(self.norm(self.conv(x)))
        for conv, norm in zip(self.layers[::2], self.layers[1::2], strict=True):
            x = nnx.relu(norm(conv(x)))
        logits: jax.Array = self.output(nnx.max_pool(x, (2, 2), (2, 2)).reshape(x.shape[0], -1))
        return logits


#: The class of each network, and the shape of its images.
NETWORKS: dict[str, tuple[Callable[..., Any], tuple[int, int, int]]] = {
    "tutorial": (TutorialCNN, (28, 28, 1)),
    "resnet": (SmallResNet, (32, 32, 3)),
    "separable": (SeparableCNN, (32, 32, 3)),
}

LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about ten minutes on two cores."""

    networks: tuple[NetworkName, ...] = get_args(NetworkName)
    batch_size: int = 32
    steps: int = 40
    """Steps of a turn."""

    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(default_factory=lambda: Turns(rounds=15))


def main(options: Options) -> None:
    """Measure, print, and write `results/users_networks.json`."""

    def entry(contestant: str, network: str, cores: int) -> Entry:
        arguments = {"network": network, "cores": cores, "batch_size": options.batch_size, "steps": options.steps}
        function = f"benchmarks.users_networks:{contestant}_loop"
        return Entry(contestant, {"network": network, "cores": cores}, function, arguments)

    counts = sorted({1, num_cores()})
    record = measure(
        "users_networks",
        [
            [entry(contestant, network, cores) for cores in counts for contestant in ("flax", "glojax")]
            for network in options.networks
        ],
        unit="milliseconds a candidate-step",
        unit_seconds=1e-3,
        configuration={"networks": options.networks, "batch_size": options.batch_size, "steps": options.steps},
        turns=options.turns,
    )
    of_flax = {str(case.parameters): case.samples.values for case in record.cases if case.contestant == "flax"}

    def ratio(case: Any) -> float | None:
        """Return the median over the rounds of the time divided by Flax's in the same round."""
        pairs = zip(case.samples.values, of_flax[str(case.parameters)], strict=False)
        return Samples(tuple(ours / theirs for ours, theirs in pairs)).median

    save(replace(record, cases=[replace(case, details={"of_flax": ratio(case)}) for case in record.cases]))


def glojax_loop(network: str, cores: int, batch_size: int, steps: int) -> Contestant:
    """Train a candidate on each core, from a fresh network to its accuracy."""
    factory, image_shape = NETWORKS[network]
    config = TrainingConfig(steps, batch_size, LEARNING_RATE)
    pool = DevicePool(factory, random_dataset(image_shape), devices=training_devices(cores))
    trees = [LossTree.parse(text) for text in ("x * log(y)", "1.1 * x * log(y)", "x * log(y) * 1.2")[:cores]]
    trainings = trainings_of(pool, config, trees)

    def turn() -> Work:
        return Work(sum(int(result.num_steps) for result in train(pool, config, trainings)))

    return Contestant(turn)


def flax_loop(network: str, cores: int, batch_size: int, steps: int) -> Contestant:
    """Train one network, as Flax's tutorials do, on one core or on all."""
    factory, image_shape = NETWORKS[network]
    with jax.default_device(training_devices(1)[0] if cores == 1 else jax.local_devices()[0]):
        model = factory(rngs=nnx.Rngs(0))
        optimizer = nnx.Optimizer(model, optax.sgd(LEARNING_RATE), wrt=nnx.Param)
        split = random_dataset(image_shape).train
        images, labels = jnp.asarray(split.inputs), jnp.asarray(split.targets)
    model.train()

    @nnx.jit
    def step(model: Any, optimizer: nnx.Optimizer[Any], images: jax.Array, labels: jax.Array, key: jax.Array) -> None:
        batch = jax.random.randint(key, (batch_size,), 0, len(labels))

        def loss_fn(model: Any) -> jax.Array:
            given = {"rngs": nnx.Rngs(key)} if network == "tutorial" else {}
            logits = model(images[batch].astype(jnp.float32) / 255, **given)
            loss: jax.Array = optax.softmax_cross_entropy_with_integer_labels(logits, labels[batch]).mean()
            return loss

        optimizer.update(model, nnx.grad(loss_fn)(model))

    keys = list(jax.random.split(jax.device_put(jax.random.key(0), labels.sharding), steps))

    def turn() -> Work:
        for key in keys:
            step(model, optimizer, images, labels, key)
        jax.block_until_ready(nnx.state(model))
        return Work(steps)

    return Contestant(turn)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
