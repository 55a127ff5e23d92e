"""Milliseconds that one SGD step of one candidate takes, beside PyTorch.

    python -m benchmarks.training_step            (needs the extra: pip install -e '.[bench]')

glojax trains a population, one candidate a core, each with an interpreted Baikal loss; PyTorch trains one network after
the other, eagerly, on all cores, with Baikal written by hand. Both take turns in one process, and both augment the
images of CIFAR-10. Images are random bytes of the data set's shape. Before anything is timed, both networks must give
the same logits and gradients for the same parameters and images.
"""

import os
import statistics
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from torch import nn

from benchmarks.measurement import alternate, matrix_product_gflops, write_result
from glojax.datasets import Dataset, Split
from glojax.evaluation import Candidates, DevicePool
from glojax.losses import CATALOG, baikal
from glojax.networks import CifarCNN, DigitsCNN, MnistCNN, NetworkFactory
from glojax.training import TrainingConfig, make_train
from glojax.training.augmentation import augmented_shape

ROUNDS = 7

#: The largest difference between the frameworks, over the largest value of each array of logits or gradients.
TOLERANCE = 1e-4


class Contest(NamedTuple):
    """One network in both frameworks, and what it trains on.

    Attributes:
        network: The glojax network.
        layers: Names of its layers that have parameters, in order.
        model: The PyTorch network, of the same layers.
        image_shape: H, W and channels of the data set.
        config: How both train, with plain SGD.
    """

    network: NetworkFactory
    layers: tuple[str, ...]
    model: nn.Module
    image_shape: tuple[int, int, int]
    config: TrainingConfig


def contests() -> dict[str, Contest]:
    """Each network with its paper's or its data set's batch size."""
    names = ("block1", "block2", "hidden", "output")
    return {
        "DigitsCNN": Contest(
            DigitsCNN,
            names,
            torch_network(3, (16, 32), 64, side=8, dropout=0.0),
            (8, 8, 1),
            TrainingConfig(500, 64, learning_rate=0.01),
        ),
        "MnistCNN": Contest(
            MnistCNN,
            names,
            torch_network(5, (32, 64), 1024, side=28, dropout=0.4),
            (28, 28, 1),
            TrainingConfig(40, 100, learning_rate=0.01),
        ),
        "CifarCNN": Contest(
            CifarCNN,
            ("convolution1", "convolution2", "hidden1", "hidden2", "output"),
            torch_cifar_network(),
            (32, 32, 3),
            TrainingConfig(3, 1024, learning_rate=0.01, weight_decay=0.004, augmentation="cifar"),
        ),
    }


def torch_network(kernel: int, channels: tuple[int, int], hidden: int, side: int, dropout: float) -> nn.Module:
    """The PyTorch form of `DigitsCNN` and `MnistCNN`."""
    first, second = channels
    return nn.Sequential(
        nn.Conv2d(1, first, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * (side // 4) ** 2, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, 10),
    )


def torch_cifar_network() -> nn.Module:
    """The PyTorch form of `CifarCNN`."""
    # PyTorch's alpha weighs the mean over the 9 channels, not their sum.
    norm = nn.LocalResponseNorm(9, alpha=0.001, beta=0.75, k=1.0)
    # From 24 to 12 to 6 pixels a side: the windows reach over the end, which is "SAME".
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(
        nn.Conv2d(3, 64, 5, padding=2),
        nn.ReLU(),
        pool,
        norm,
        nn.Conv2d(64, 64, 5, padding=2),
        nn.ReLU(),
        norm,
        pool,
        nn.Flatten(),
        nn.Linear(6 * 6 * 64, 384),
        nn.ReLU(),
        nn.Linear(384, 192),
        nn.Linear(192, 10),
    )


def layers(model: nn.Module) -> Iterator[tuple[nn.Parameter, nn.Parameter, tuple[int, ...]]]:
    """Weights and bias of each layer that has them, and the shape [Cout, Cin, KH, KW] of the weights.

    The first dense layer is a convolution whose kernel is as large as the image: glojax and PyTorch have the pixels and
    channels that it takes in different orders.
    """
    channels = 0
    for layer in model.children():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        weight, bias = layer.parameters()
        if isinstance(layer, nn.Conv2d):
            channels = layer.out_channels
            yield weight, bias, tuple(weight.shape)
        else:
            channels = channels or layer.in_features
            side = round((layer.in_features / channels) ** 0.5)
            yield weight, bias, (layer.out_features, channels, side, side)
            channels = 0


def require_agreement(contest: Contest) -> None:
    """Give the PyTorch network the parameters of a glojax network, and compare what both make of the same images.

    Raises:
        RuntimeError: Logits, or gradients of the Baikal loss, differ by more than rounding.
    """
    graphdef, params = nnx.split(contest.network(nnx.Rngs(0)))
    image_shape = augmented_shape(contest.config.augmentation, contest.image_shape)
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(32, *image_shape)).astype(np.float32), rng.integers(0, 10, 32)

    def loss_fn(params: Any) -> tuple[jax.Array, jax.Array]:
        logits = nnx.merge(graphdef, params)(jnp.asarray(images))
        return baikal(logits, jnp.asarray(labels)).mean(), logits

    gradients, logits = jax.jit(jax.grad(loss_fn, has_aux=True))(params)
    ours, theirs = {"logits": np.asarray(logits)}, {}
    named = list(zip(contest.layers, layers(contest.model), strict=True))
    with torch.no_grad():
        for name, (weight, bias, (Cout, Cin, KH, KW)) in named:
            kernel = np.array(params[name]["kernel"][...]).reshape(KH, KW, Cin, Cout).transpose(3, 2, 0, 1)
            weight.copy_(torch.tensor(kernel.reshape(weight.shape)))
            bias.copy_(torch.tensor(np.array(params[name]["bias"][...])))
    contest.model.eval()
    torch_logits = contest.model(torch.tensor(images.transpose(0, 3, 1, 2).copy()))
    torch_baikal(torch_logits, torch.tensor(labels)).backward()
    contest.model.train()
    theirs["logits"] = torch_logits.detach().numpy()
    for name, (weight, bias, shape) in named:
        assert weight.grad is not None
        assert bias.grad is not None
        kernel_gradient = weight.grad.numpy().reshape(shape).transpose(2, 3, 1, 0)
        for part, gradient in (("kernel", kernel_gradient), ("bias", bias.grad.numpy())):
            ours[f"gradient of {name}.{part}"] = np.asarray(gradients[name][part][...])
            theirs[f"gradient of {name}.{part}"] = gradient
    for what, expected in theirs.items():
        difference = np.abs(ours[what].ravel() - expected.ravel()).max() / np.abs(expected).max()
        if not difference <= TOLERANCE:
            raise RuntimeError(
                f"{contest.network.__name__}'s {what} differs from PyTorch's by {difference:.1e}; expected at most "
                f"{TOLERANCE:.0e} of the largest value."
            )


def random_dataset(image_shape: tuple[int, int, int]) -> Dataset:
    """10,000 random images to train on, and 100 to evaluate, so that steps are nearly all the work."""
    rng = np.random.default_rng(0)

    def split(num_images: int) -> Split:
        images = rng.integers(0, 256, (num_images, *image_shape), dtype=np.uint8)
        return Split(images, rng.integers(0, 10, num_images, dtype=np.int32))

    return Dataset("random", split(10_000), split(100), split(100), 10)


def glojax_steps(contest: Contest, dataset: Dataset) -> Callable[[], object]:
    """Trains two candidates a device."""
    pool = DevicePool(make_train(contest.network, dataset, contest.config))
    candidates = Candidates.over_seeds([CATALOG["baikal"]], range(2 * len(pool.devices)), capacity=64)

    def run() -> None:
        if not pool.run_all(candidates).finite.all():
            raise RuntimeError("A training ended early, so that its time says nothing.")

    return run


def torch_steps(contest: Contest, dataset: Dataset) -> Callable[[], object]:
    """Trains one network."""
    model, config = contest.model, contest.config
    images = torch.tensor(dataset.train.images.transpose(0, 3, 1, 2).copy())
    labels = torch.tensor(dataset.train.labels.astype(np.int64))
    dense = [layer for layer in model.children() if isinstance(layer, nn.Linear)]
    decayed = [layer.weight for layer in dense[:-1]]
    others = [parameter for parameter in model.parameters() if all(parameter is not weight for weight in decayed)]
    groups: list[dict[str, Any]] = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=config.learning_rate)

    def run() -> None:
        for _ in range(config.num_steps):
            places = torch.randint(0, len(labels), (config.batch_size,))
            batch = torch_augmented(images, places) if config.augmentation == "cifar" else images[places].float() / 255
            optimizer.zero_grad()
            torch_baikal(model(batch), labels[places]).backward()
            optimizer.step()

    return run


def torch_baikal(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean over the batch."""
    probs = torch.softmax(logits, dim=-1).clamp(1e-7, 1)
    return -(probs.log() - nn.functional.one_hot(labels, 10) / probs).sum(dim=-1).mean()


def torch_augmented(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """What `glojax.training.augmentation` does to a batch, all images at once."""
    B, size = len(places), 24
    top, left = torch.randint(0, 32 - size + 1, (2, B, 1))
    flipped = torch.rand(B, 1) < 0.5
    pixels = torch.arange(size)
    rows, columns = top + pixels, left + torch.where(flipped, size - 1 - pixels, pixels)
    channels = torch.arange(3)[:, None, None]
    batch = images[places[:, None, None, None], channels, rows[:, None, :, None], columns[:, None, None, :]]
    batch = batch.float() / 255 + (2 * torch.rand(B, 1, 1, 1) - 1) * 63 / 255
    means = batch.mean(dim=(2, 3), keepdim=True)
    batch = (batch - means) * (0.2 + 1.6 * torch.rand(B, 1, 1, 1)) + means
    deviation, mean = torch.std_mean(batch, dim=(1, 2, 3), keepdim=True, correction=0)
    standardised = (batch - mean) / deviation.clamp_min(batch[0].numel() ** -0.5)
    # Its convolutions are faster in this layout.
    return standardised.contiguous(memory_format=torch.channels_last)


def main() -> None:
    """Measure, print and write `results/training_step.json`."""
    cores = len(os.sched_getaffinity(0))
    jax.config.update("jax_num_cpu_devices", cores)
    torch.set_num_threads(cores)
    record: dict[str, object] = {"matrix_product_gflops": round(matrix_product_gflops(), 1)}
    for name, contest in contests().items():
        require_agreement(contest)
        dataset, config = random_dataset(contest.image_shape), contest.config
        seconds = alternate({"glojax": glojax_steps(contest, dataset), "torch": torch_steps(contest, dataset)}, ROUNDS)
        num_candidates = {"glojax": 2 * len(jax.local_devices()), "torch": 1}
        milliseconds = {
            contestant: [round(1000 * sample / config.num_steps / num_candidates[contestant], 4) for sample in samples]
            for contestant, samples in seconds.items()
        }
        medians = {contestant: statistics.median(samples) for contestant, samples in milliseconds.items()}
        ratio = medians["glojax"] / medians["torch"]
        record[name] = {
            "batch_size": config.batch_size,
            "num_steps": config.num_steps,
            "ms_per_candidate_step": milliseconds,
            "medians": medians,
            "glojax_to_torch": round(ratio, 3),
        }
        print(
            f"{name}, batch {config.batch_size}: glojax {medians['glojax']:.3f} ms, PyTorch {medians['torch']:.3f} ms "
            f"a candidate-step; {ratio:.2f} times PyTorch's time"
        )
    write_result("training_step", record)


if __name__ == "__main__":
    main()
