"""Milliseconds that one SGD step of one candidate takes, beside PyTorch.

    python -m benchmarks.training_step            (needs the extra: pip install -e '.[bench]')

glojax trains a population, one candidate a core, each with an interpreted Baikal loss; PyTorch trains one network after
the other, eagerly, on all cores, with Baikal written by hand. Both take turns in one process. Images are random bytes
of the data set's shape.
"""

import os
import statistics
from collections.abc import Callable

import jax
import numpy as np
import torch
from torch import nn

from benchmarks.measurement import alternate, matrix_product_gflops, write_result
from glojax.datasets import Dataset, Split
from glojax.evaluation import Candidates, DevicePool
from glojax.losses import CATALOG
from glojax.networks import DigitsCNN, MnistCNN, NetworkFactory
from glojax.training import TrainingConfig, make_train

ROUNDS = 7


def random_dataset(size: int) -> Dataset:
    """10,000 random images [size, size, 1] to train on, and 100 to evaluate, so that steps are nearly all the work."""
    rng = np.random.default_rng(0)

    def split(num_images: int) -> Split:
        images = rng.integers(0, 256, (num_images, size, size, 1), dtype=np.uint8)
        return Split(images, rng.integers(0, 10, num_images, dtype=np.int32))

    return Dataset("random", split(10_000), split(100), split(100), 10)


def glojax_steps(network: NetworkFactory, dataset: Dataset, batch_size: int, num_steps: int) -> Callable[[], object]:
    """Trains two candidates a device for `num_steps` each."""
    config = TrainingConfig(num_steps, batch_size, learning_rate=0.01)
    pool = DevicePool(make_train(network, dataset, config))
    candidates = Candidates.over_seeds([CATALOG["baikal"]], range(2 * len(pool.devices)), capacity=64)
    return lambda: pool.run_all(candidates)


def torch_steps(model: nn.Module, dataset: Dataset, batch_size: int, num_steps: int) -> Callable[[], object]:
    """Trains one network for `num_steps`."""
    images = torch.tensor(dataset.train.images.transpose(0, 3, 1, 2).copy())
    labels = torch.tensor(dataset.train.labels.astype(np.int64))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def run() -> None:
        for _ in range(num_steps):
            places = torch.randint(0, len(labels), (batch_size,))
            optimizer.zero_grad()
            probs = torch.softmax(model(images[places].float() / 255), dim=-1).clamp(1e-7, 1)
            one_hot = nn.functional.one_hot(labels[places], 10)
            loss = -(probs.log() - one_hot / probs).sum(dim=-1).mean()
            loss.backward()
            optimizer.step()

    return run


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


def main() -> None:
    """Measure, print and write `results/training_step.json`."""
    cores = len(os.sched_getaffinity(0))
    jax.config.update("jax_num_cpu_devices", cores)
    torch.set_num_threads(cores)
    networks = {
        "DigitsCNN": (DigitsCNN, torch_network(3, (16, 32), 64, side=8, dropout=0.0), 8, 64, 500),
        "MnistCNN": (MnistCNN, torch_network(5, (32, 64), 1024, side=28, dropout=0.4), 28, 100, 40),
    }
    record: dict[str, object] = {"matrix_product_gflops": round(matrix_product_gflops(), 1)}
    for name, (network, torch_model, side, batch_size, num_steps) in networks.items():
        dataset = random_dataset(side)
        seconds = alternate(
            {
                "glojax": glojax_steps(network, dataset, batch_size, num_steps),
                "torch": torch_steps(torch_model, dataset, batch_size, num_steps),
            },
            ROUNDS,
        )
        num_candidates = {"glojax": 2 * len(jax.local_devices()), "torch": 1}
        milliseconds = {
            contestant: [round(1000 * sample / num_steps / num_candidates[contestant], 4) for sample in samples]
            for contestant, samples in seconds.items()
        }
        medians = {contestant: statistics.median(samples) for contestant, samples in milliseconds.items()}
        ratio = medians["glojax"] / medians["torch"]
        record[name] = {
            "batch_size": batch_size,
            "num_steps": num_steps,
            "ms_per_candidate_step": milliseconds,
            "medians": medians,
            "glojax_to_torch": round(ratio, 3),
        }
        print(
            f"{name}, batch {batch_size}: glojax {medians['glojax']:.3f} ms, PyTorch {medians['torch']:.3f} ms "
            f"a candidate-step; {ratio:.2f} times PyTorch's time"
        )
    write_result("training_step", record)


if __name__ == "__main__":
    main()
