"""Folders of IDX files with the names that data sets and their distributors give them."""

import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glojax.datasets import load_dataset
from glojax.errors import DatasetError

IdxWriter = Callable[[NDArray[Any]], bytes]
IMAGES = np.random.default_rng(0).integers(256, size=(60, 6, 5), dtype=np.uint8)
LABELS = (np.arange(60) % 4).astype(np.uint8)
#: Contents of the four files of a data set.
FOUR = (IMAGES[:40], LABELS[:40], IMAGES[40:], LABELS[40:])


@pytest.fixture
def write(tmp_path: Path, to_idx: IdxWriter) -> Callable[..., None]:
    """Return a function that writes arrays to files of given names, gzipped where these end in .gz."""

    def write(*names: str, arrays: tuple[NDArray[Any], ...] = FOUR) -> None:
        for name, array in zip(names, arrays, strict=True):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = to_idx(array)
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)

    return write


def assert_is_it(path: Path) -> None:
    dataset = load_dataset(path)
    assert dataset.test is not None
    assert [len(split) for split in dataset.splits.values()] == [36, 4, 20]
    assert (dataset.test.inputs[..., 0] == IMAGES[40:]).all()
    assert (dataset.test.targets == LABELS[40:]).all()


def _names(pattern: str) -> list[str]:
    """The four names that a pattern with SPLIT, CONTENT and AXES makes."""
    return [
        pattern.replace("SPLIT", split).replace("CONTENT", content).replace("AXES", axes)
        for split in ("train", "test" if "emnist" in pattern or "split" in pattern else "t10k")
        for content, axes in (("images", "3"), ("labels", "1"))
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        "SPLIT-CONTENT-idxAXES-ubyte",
        "SPLIT-CONTENT-idxAXES-ubyte.gz",
        "SPLIT-CONTENT.idxAXES-ubyte",
        "MNIST/raw/SPLIT-CONTENT-idxAXES-ubyte",
        "KMNIST/raw/SPLIT-CONTENT-idxAXES-ubyte.gz",
        "archive/SPLIT-CONTENT-idxAXES-ubyte/SPLIT-CONTENT-idxAXES-ubyte",
        "my_SPLIT_CONTENT",
    ],
)
def test_any_usual_name_is_recognised(pattern: str, write: Callable[..., None], tmp_path: Path) -> None:
    write(*_names(pattern))
    (tmp_path / "readme.txt").write_text("train images")

    assert_is_it(tmp_path)
    first = tmp_path / _names(pattern)[0]
    assert load_dataset(tmp_path).origin.startswith(f"IDX files in {first.parent}: ")


def test_a_file_that_is_there_twice_counts_once(write: Callable[..., None], tmp_path: Path) -> None:
    """Kaggle's folder has files with a dot, and folders of the same names with a hyphen, which hold the same."""
    write(*_names("SPLIT-CONTENT.idxAXES-ubyte"))
    write(*_names("SPLIT-CONTENT-idxAXES-ubyte/SPLIT-CONTENT-idxAXES-ubyte"))
    write(*_names("SPLIT-CONTENT-idxAXES-ubyte.gz"))

    assert_is_it(tmp_path)


def test_emnist_is_turned_and_its_letters_count_from_0(
    write: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    turned = tuple(each.transpose(0, 2, 1) if each.ndim == 3 else each + 1 for each in FOUR)
    write(*_names("gzip/emnist-letters-SPLIT-CONTENT-idxAXES-ubyte.gz"), arrays=turned)

    assert_is_it(tmp_path)

    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert "the train images of EMNIST have their axes exchanged; they were turned." in caplog.text
    assert "the labels run from 1 to 4; they were renumbered from 0." in caplog.text


def test_one_of_several_data_sets_is_named_by_its_beginning(write: Callable[..., None], tmp_path: Path) -> None:
    write(*_names("raw/kanji-split-SPLIT-CONTENT-idxAXES-ubyte"))
    write(*_names("raw/kana-split-SPLIT-CONTENT-idxAXES-ubyte"), arrays=(*FOUR[:2], IMAGES[:3], LABELS[:3]))

    with pytest.raises(
        DatasetError, match=r"holds 2 data sets of IDX files; expected one: name one of .*raw/kana-split, "
    ):
        load_dataset(tmp_path)
    assert_is_it(tmp_path / "raw" / "kanji-split")
    assert load_dataset(tmp_path / "raw" / "kanji-split").name == "kanji-split"
    with pytest.raises(DatasetError, match="kan does not exist; expected"):
        load_dataset(tmp_path / "raw" / "kan")


def test_a_folder_of_two_kinds_is_refused(write: Callable[..., None], tmp_path: Path) -> None:
    """torchvision puts all data sets under one root."""
    write(*_names("MNIST/raw/SPLIT-CONTENT-idxAXES-ubyte"))
    (tmp_path / "cifar-10-batches-bin").mkdir()
    (tmp_path / "cifar-10-batches-bin" / "data_batch_1.bin").write_bytes(bytes(3_073))

    with pytest.raises(DatasetError, match=r"holds CIFAR files data_batch_1\.bin in .* and IDX files in .*/raw: "):
        load_dataset(tmp_path)
    assert_is_it(tmp_path / "MNIST")


def test_without_test_files_there_is_no_test_split(write: Callable[..., None], tmp_path: Path) -> None:
    write("images", "labels", "valid-images", "valid-labels")

    dataset = load_dataset(tmp_path)

    assert dataset.test is None
    assert (dataset.validation.inputs[..., 0] == IMAGES[40:]).all()


def test_a_missing_file_is_named(write: Callable[..., None], tmp_path: Path) -> None:
    write("train-images", "train-labels", "test-images", arrays=FOUR[:3])

    with pytest.raises(DatasetError, match="lacks a file of test targets, and holds test-images, train-images, train-"):
        load_dataset(tmp_path)


def test_a_damaged_file_is_named(write: Callable[..., None], tmp_path: Path) -> None:
    write(*_names("SPLIT-CONTENT-idxAXES-ubyte.gz"))
    damaged = tmp_path / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])

    with pytest.raises(DatasetError, match=r"train-labels-idx1-ubyte\.gz is cut off after"):
        load_dataset(tmp_path)


def test_options_that_do_not_go_with_it_are_refused(write: Callable[..., None], tmp_path: Path) -> None:
    write(*_names("SPLIT-CONTENT"))

    with pytest.raises(DatasetError, match="was given the target 'label'; expected none, as its files say"):
        load_dataset(tmp_path, target="label")
    with pytest.raises(DatasetError, match="has a test split of its own, and the test split 'held-out' was given"):
        load_dataset(tmp_path, test_split="held-out")
    with pytest.raises(DatasetError, match=r"was given the folder .* all at that path: leave --data-dir out"):
        load_dataset(tmp_path, tmp_path)
