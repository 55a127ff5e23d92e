import hashlib
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tensorflow_datasets.core.download.checksums import UrlInfo
from tensorflow_datasets.core.utils import Size
from tensorflow_datasets.image_classification import cifar as stock_cifar

from glojax.datasets import Dataset, load_dataset
from glojax.errors import DatasetError
from tests.datasets.files import replace_file

RECORD = bytes(3_073)


def assert_rejected(data_dir: Path, *parts: str, test_split: str = "official") -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset("cifar10", data_dir, test_split=test_split)  # type: ignore[arg-type]

    message = str(caught.value)
    assert "expected" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def sizes(dataset: Dataset) -> list[int]:
    return [len(split) for split in dataset.splits.values()]


def test_splits_types_and_layout(blank_cifar10: Path) -> None:
    dataset = load_dataset("cifar10", blank_cifar10)

    assert sizes(dataset) == [45_000, 5_000, 10_000]
    assert (dataset.name, dataset.num_outputs, dataset.input_shape) == ("cifar10", 10, (32, 32, 3))
    assert dataset.train.inputs.dtype == np.uint8
    assert dataset.origin == f"binary files in {blank_cifar10}"
    first = dataset.validation.inputs[0]
    assert (first[0, 0].tolist(), first[0, 1].tolist(), first[1, 0].tolist()) == ([1, 2, 3], [4, 5, 6], [7, 8, 9])
    assert dataset.validation.targets[:4].tolist() == [6, 9, 9, 4]
    assert dataset.validation.inputs[1:].max() == dataset.train.inputs.max() == dataset.splits["test"].inputs.max() == 0


def test_the_folder_above_will_do(blank_cifar10: Path) -> None:
    assert load_dataset("cifar10", blank_cifar10.parent).origin == f"binary files in {blank_cifar10}"


def test_the_official_archive(blank_cifar10: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in a folder or named itself, and only with the checksum that tensorflow-datasets knows."""
    archive = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1, dereference=True) as file:
        file.add(blank_cifar10, "cifar-10-batches-bin")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert_rejected(archive, f"{archive} has the SHA-256 {digest}; expected c4a38c50")

    info = UrlInfo(Size(archive.stat().st_size), digest, archive.name)
    monkeypatch.setattr(stock_cifar.Cifar10, "url_infos", {"http://127.0.0.1/archive": info})
    dataset = load_dataset("cifar10", archive)

    assert dataset.fingerprint == load_dataset("cifar10", blank_cifar10).fingerprint
    assert load_dataset("cifar10", tmp_path, test_split="held-out").origin == f"archive {archive}"


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        (RECORD * 1_000, "holds 1,000 images; expected 10,000"),
        (None, "cannot be read (No such"),
    ],
)
def test_a_test_file_that_is_not_whole_serves_with_a_held_out_test_set(
    cifar10_folder: Path, contents: bytes | None, found: str
) -> None:
    test_file = cifar10_folder / "test_batch.bin"
    test_file.unlink()
    if contents is not None:
        test_file.write_bytes(contents)

    assert_rejected(cifar10_folder, str(test_file), found, "--test-split held-out")
    dataset = load_dataset("cifar10", cifar10_folder, test_split="held-out")

    assert sizes(dataset) == [35_000, 5_000, 10_000]
    assert dataset.test_split == "held-out"


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        (RECORD * 9_999, "holds 9,999 images; expected 10,000: download it again"),
        (RECORD * 10_000 + b"\0", "holds 30,730,001 bytes, which are no whole records"),
        (b"\x0a" + RECORD * 9_999 + RECORD[1:], "holds the label 10; expected 0 to 9"),
    ],
)
def test_a_damaged_file_is_named(cifar10_folder: Path, contents: bytes, found: str) -> None:
    replace_file(cifar10_folder / "data_batch_3.bin", contents)

    assert_rejected(cifar10_folder, f"{cifar10_folder / 'data_batch_3.bin'} {found}", test_split="held-out")


def test_a_missing_training_file_is_named(cifar10_folder: Path) -> None:
    (cifar10_folder / "data_batch_5.bin").unlink()

    assert_rejected(cifar10_folder, f"{cifar10_folder / 'data_batch_5.bin'} cannot be read (No such file or directory)")


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert_rejected(
        tmp_path, f"{tmp_path} does not hold CIFAR-10", "data_batch_1.bin to data_batch_5.bin", "--data-dir"
    )
    assert_rejected(tmp_path / "nowhere", "nowhere does not exist")
    (tmp_path / "file").write_bytes(b"something")
    assert_rejected(tmp_path / "file", "has the SHA-256")


def test_the_real_training_inputs(real_cifar10: Path) -> None:
    dataset = load_dataset("cifar10", real_cifar10, test_split="held-out")

    parts = (dataset.validation, dataset.train, dataset.splits["test"])
    images = np.concatenate([split.inputs for split in parts])
    labels = np.concatenate([split.targets for split in parts])
    assert hashlib.sha256(images.data).hexdigest() == "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a"
    assert np.bincount(labels).tolist() == [5_000] * 10
    assert labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
