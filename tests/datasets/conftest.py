"""Data sets for tests: blank images in the real sizes, and tiny data sets in the real formats."""

import gzip
import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorflow_datasets.core.download.checksums import UrlInfo
from tensorflow_datasets.core.utils import Size
from tensorflow_datasets.image_classification import mnist as stock_mnist

from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.mnist import MNIST
from glojax.datasets.publication import Publication, PublishedImages, SplitName
from glojax.datasets.split import Split
from tests.datasets.files import labels_in_turn, linked, serve
from tests.isolation import data_root  # noqa: F401  # a fixture for every test here

IdxWriter = Callable[[NDArray[Any]], bytes]
TYPE_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


@pytest.fixture(scope="session")
def to_idx() -> IdxWriter:
    """Return a function that turns an array into the bytes of an IDX file."""

    def write(array: NDArray[Any]) -> bytes:
        code = TYPE_CODES[array.dtype.str[1:]]
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        return header + array.astype(array.dtype.newbyteorder(">")).tobytes()

    return write


@pytest.fixture(scope="session")
def blank_mnist(tmp_path_factory: pytest.TempPathFactory, to_idx: IdxWriter) -> Path:
    """A folder with MNIST's files, whose images are black except for image 1 of each file, which is white.

    The first ten labels are MNIST's; from then on they are 0 to 9 in turn.
    """
    folder = tmp_path_factory.mktemp("mnist")
    prefixes: dict[SplitName, str] = {"train": "train", "test": "t10k"}
    for split_name, prefix in prefixes.items():
        count, first = MNIST.num_images[split_name], MNIST.first_labels[split_name]
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(to_idx(labels_in_turn(count, first)))
        with (folder / f"{prefix}-images-idx3-ubyte").open("wb") as file:
            file.write(struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + bytes(784) + b"\xff" * 784)
            file.truncate(16 + count * 784)  # the rest is a hole, which reads as zeros and takes no space
    return folder


@pytest.fixture
def mnist_folder(tmp_path: Path, blank_mnist: Path) -> Path:
    """A folder of links to the same files, in which a test may replace files."""
    return linked(blank_mnist, tmp_path / "mnist")


@pytest.fixture(scope="session")
def blank_cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CIFAR-10's files, whose images are black except for the first.

    Only the first image of the first training file is not black: it is red 1, green 2 and blue 3, but its second pixel
    is (4, 5, 6) and the first of its second row (7, 8, 9). The first ten labels of that file and of the test file are
    CIFAR-10's, and from then on they are 0 to 9 in turn; the other files are as the test file.
    """
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.zeros((10_000, 3_073), np.uint8)
    records[:, 0] = labels_in_turn(10_000, CIFAR10.first_labels["test"])
    (folder / "test_batch.bin").write_bytes(records.tobytes())
    for number in range(2, 6):
        (folder / f"data_batch_{number}.bin").symlink_to(folder / "test_batch.bin")
    planes = records[0, 1:].reshape(3, 32, 32)
    planes[...] = np.array([1, 2, 3])[:, None, None]
    planes[:, 0, 1] = 4, 5, 6
    planes[:, 1, 0] = 7, 8, 9
    records[:, 0] = labels_in_turn(10_000, CIFAR10.first_labels["train"])
    (folder / "data_batch_1.bin").write_bytes(records.tobytes())
    return folder


@pytest.fixture
def cifar10_folder(tmp_path: Path, blank_cifar10: Path) -> Path:
    """A folder of links to the same files, in which a test may replace files."""
    return linked(blank_cifar10, tmp_path / "cifar-10-batches-bin")


@pytest.fixture(scope="session")
def real_cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with CIFAR-10's six files; the test file may be truncated."""
    script = Path(os.environ.get("GLOJAX_DATA_DIR", ""), "unpack_cifar10.py")
    if not script.is_file():
        pytest.skip("GLOJAX_DATA_DIR names no folder with unpack_cifar10.py, which writes CIFAR-10's files")
    folder = tmp_path_factory.mktemp("cifar")
    subprocess.run([sys.executable, script, folder], check=True, capture_output=True)
    return folder / "cifar-10-batches-bin"


@pytest.fixture
def tiny_images() -> PublishedImages:
    """Twenty training and twelve test images of 28 x 28 x 1 random pixels."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        return Split(
            rng.integers(256, size=(count, 28, 28, 1), dtype=np.uint8), rng.integers(10, size=count, dtype=np.int32)
        )

    return PublishedImages(split(20), split(12), "a generator")


@pytest.fixture
def tiny_mnist(tiny_images: PublishedImages) -> Publication:
    """A variant of MNIST that consists of those images."""
    assert tiny_images.test is not None
    train, test = (tuple(split.targets[:10].tolist()) for split in (tiny_images.train, tiny_images.test))
    return replace(MNIST, num_images={"train": 20, "test": 12}, first_labels={"train": train, "test": test})


@pytest.fixture
def served_files(tmp_path: Path, tiny_images: PublishedImages, to_idx: IdxWriter) -> Path:
    """A folder with those images as the four gzipped files."""
    folder = tmp_path / "served"
    folder.mkdir()
    for prefix, split in (("train", tiny_images.train), ("t10k", tiny_images.test)):
        assert split is not None
        for name, array in (("images-idx3", split.inputs[..., 0]), ("labels-idx1", split.targets.astype(np.uint8))):
            (folder / f"{prefix}-{name}-ubyte.gz").write_bytes(gzip.compress(to_idx(array)))
    return folder


@pytest.fixture
def mnist_server(served_files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of that folder, at which tensorflow-datasets expects MNIST's files, with their checksums."""
    with serve(served_files) as address:
        infos = {}
        for file in served_files.iterdir():
            contents = file.read_bytes()
            digest = hashlib.sha256(contents).hexdigest()
            infos[f"{address}/{file.name}"] = UrlInfo(Size(len(contents)), digest, file.name)
        monkeypatch.setattr(stock_mnist.MNIST, "url_infos", infos)
        yield address
