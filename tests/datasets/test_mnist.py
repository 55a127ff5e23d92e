import gzip
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glojax.datasets import idx, load_dataset, reading
from glojax.datasets.mnist import FASHION_MNIST
from glojax.errors import DatasetError
from tests.datasets.files import labels_in_turn, replace_file

IdxWriter = Callable[[NDArray[Any]], bytes]
FILE_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def assert_rejected(folder: Path, *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset("mnist", folder)

    message = str(caught.value)
    assert "expected" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_splits_and_types(blank_mnist: Path) -> None:
    dataset = load_dataset("mnist", blank_mnist)

    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    assert (dataset.name, dataset.num_outputs, dataset.input_shape) == ("mnist", 10, (28, 28, 1))
    assert dataset.train.inputs.dtype == np.uint8
    assert dataset.train.targets.dtype == np.int32


def test_the_first_training_images_validate(blank_mnist: Path) -> None:
    """Image 1 of each file is the white one."""
    dataset = load_dataset("mnist", blank_mnist)

    assert [int(split.inputs.max()) for split in dataset.splits.values()] == [
        0,
        255,
        255,
    ]
    assert (dataset.validation.inputs[1] == 255).all()
    assert dataset.validation.inputs[0].max() == dataset.validation.inputs[2].max() == 0
    assert dataset.validation.targets[:12].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 0, 1]


def test_files_may_be_gzipped(mnist_folder: Path) -> None:
    plain = load_dataset("mnist", mnist_folder)
    for name in (FILE_NAMES[1], FILE_NAMES[2], FILE_NAMES[3]):
        contents = (mnist_folder / name).read_bytes()
        (mnist_folder / name).unlink()
        (mnist_folder / f"{name}.gz").write_bytes(gzip.compress(contents, compresslevel=1))

    assert load_dataset("mnist", str(mnist_folder)).fingerprint == plain.fingerprint


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    assert_rejected(tmp_path / "nowhere", f"{tmp_path / 'nowhere'} does not exist", "pass --data-dir", *FILE_NAMES)
    assert_rejected(file, f"{file} is not a folder", "pass --data-dir")


def test_names_all_missing_files(mnist_folder: Path) -> None:
    (mnist_folder / FILE_NAMES[0]).unlink()
    (mnist_folder / FILE_NAMES[3]).unlink()

    assert_rejected(mnist_folder, f"{mnist_folder} lacks {FILE_NAMES[0]}, {FILE_NAMES[3]};", "pass --data-dir")


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert_rejected(tmp_path, f"{tmp_path} does not hold MNIST; expected its files: pass --data-dir", *FILE_NAMES)


def test_a_held_out_test_set_needs_no_test_files(mnist_folder: Path) -> None:
    """The last 10,000 training images are the test split, and no network trains on them."""
    for name in FILE_NAMES[2:]:
        (mnist_folder / name).unlink()

    dataset = load_dataset("mnist", mnist_folder, test_split="held-out")

    assert [len(split) for split in dataset.splits.values()] == [45_000, 5_000, 10_000]
    assert [int(split.inputs.max()) for split in dataset.splits.values()] == [
        0,
        255,
        0,
    ]
    assert (dataset.test_split, dataset.origin) == ("held-out", f"IDX files in {mnist_folder}")


def test_fashion_mnist_names_its_files_alike(mnist_folder: Path, to_idx: IdxWriter) -> None:
    first = [*FASHION_MNIST.first_labels.values()]
    with pytest.raises(
        DatasetError, match=re.escape(f"{mnist_folder / FILE_NAMES[1]} holds train images with the labels")
    ):
        load_dataset("fashion_mnist", mnist_folder)
    replace_file(mnist_folder / FILE_NAMES[1], to_idx(labels_in_turn(60_000, first[0])))
    with pytest.raises(DatasetError, match=re.escape(f"first; expected {list(first[1])}, as Fashion-MNIST has: put")):
        load_dataset("fashion_mnist", mnist_folder)
    replace_file(mnist_folder / FILE_NAMES[3], to_idx(labels_in_turn(10_000, first[1])))

    assert load_dataset("fashion_mnist", mnist_folder).name == "fashion_mnist"
    assert_rejected(mnist_folder, f"holds train images with the labels {list(first[0])} first; expected [5, 0, 4,")

    (mnist_folder / FILE_NAMES[2]).unlink()
    with pytest.raises(DatasetError, match=f"lacks {FILE_NAMES[2]}; expected all of Fashion-MNIST's files"):
        load_dataset("fashion_mnist", mnist_folder)


def test_a_file_that_vanishes_during_the_read(mnist_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first file is read, the last one is deleted."""
    last = mnist_folder / FILE_NAMES[2]

    def read(path: Path, **options: Any) -> bytes:
        last.unlink(missing_ok=True)
        return reading.read_file(path, **options)

    monkeypatch.setattr(idx, "read_file", read)
    assert_rejected(mnist_folder, f"{last}", "cannot be read (No such file or directory)")


def test_a_pipe_is_named(mnist_folder: Path) -> None:
    (mnist_folder / FILE_NAMES[1]).unlink()
    os.mkfifo(mnist_folder / FILE_NAMES[1])
    assert_rejected(mnist_folder, f"{FILE_NAMES[1]} is a pipe or a device")


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_damaged_file_is_named(mnist_folder: Path, name: str) -> None:
    replace_file(mnist_folder / name, b"\0\0\x08")

    assert_rejected(mnist_folder, str(mnist_folder / name), "IDX magic number")


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        (FILE_NAMES[0], FILE_NAMES[1], "uint8 array of shape (60000,); expected MNIST's images"),
        (FILE_NAMES[1], FILE_NAMES[0], "uint8 array of shape (60000, 28, 28); expected MNIST's labels"),
        (FILE_NAMES[1], FILE_NAMES[3], "uint8 array of shape (10000,); expected MNIST's labels"),
        (FILE_NAMES[2], FILE_NAMES[0], "uint8 array of shape (60000, 28, 28); expected MNIST's images"),
    ],
)
def test_a_mislabelled_file_is_named(mnist_folder: Path, blank_mnist: Path, name: str, source: str, found: str) -> None:
    (mnist_folder / name).unlink()
    (mnist_folder / name).symlink_to(blank_mnist / source)

    assert_rejected(mnist_folder, str(mnist_folder / name), found, "not exchanged")


@pytest.mark.parametrize(
    ("name", "contents", "found"),
    [
        (FILE_NAMES[0], np.zeros((60_000, 2, 2), np.uint8), "shape (60000, 2, 2)"),
        (FILE_NAMES[2], np.zeros((7, 28, 28), np.uint8), "shape (7, 28, 28)"),
        (FILE_NAMES[3], np.zeros(10_000, np.int32), "int32 array"),
        (FILE_NAMES[3], np.full(10_000, 10, np.uint8), "holds the label 10; expected 0 to 9"),
    ],
)
def test_other_contents_are_named(
    mnist_folder: Path, to_idx: IdxWriter, name: str, contents: NDArray[Any], found: str
) -> None:
    replace_file(mnist_folder / name, to_idx(contents))

    assert_rejected(mnist_folder, str(mnist_folder / name), found, "MNIST's own file")


def test_training_files_that_are_the_test_files_are_found_out(mnist_folder: Path, blank_mnist: Path) -> None:
    """Images and labels agree with each other here; only the counts tell."""
    for kind in ("images-idx3", "labels-idx1"):
        (mnist_folder / f"train-{kind}-ubyte").unlink()
        (mnist_folder / f"train-{kind}-ubyte").symlink_to(blank_mnist / f"t10k-{kind}-ubyte")

    assert_rejected(mnist_folder, "train-labels-idx1-ubyte", "shape (10000,)", "(60000,)")


@pytest.mark.skipif("GLOJAX_DATA_DIR" not in os.environ, reason="GLOJAX_DATA_DIR, whose folder mnist is read, is unset")
def test_the_real_mnist() -> None:
    start = time.perf_counter()
    dataset = load_dataset("mnist", Path(os.environ["GLOJAX_DATA_DIR"]) / "mnist")
    seconds = time.perf_counter() - start

    assert [len(split) for split in dataset.splits.values()] == [55_000, 5_000, 10_000]
    assert dataset.validation.targets[:5].tolist() == [5, 0, 4, 1, 9]
    (*_, test) = dataset.splits.values()
    assert np.bincount(test.targets.astype(int)).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert np.bincount(dataset.train.targets.astype(int)).sum() == 55_000
    train_images = np.concatenate([dataset.validation.inputs, dataset.train.inputs])
    assert train_images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert seconds < 2
