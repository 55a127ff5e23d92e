"""CIFAR-10, from the six files of its binary version or from the archive that holds them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from glojax.datasets.archives import read_members
from glojax.datasets.dataset import Split
from glojax.datasets.published import CIFAR10, PublishedImages, require_first_labels
from glojax.errors import DatasetError

ARCHIVE: Final = "cifar-10-binary.tar.gz"
FOLDER: Final = "cifar-10-batches-bin"
TRAIN_FILES: Final = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE: Final = "test_batch.bin"

_RECORDS_A_FILE = 10_000

#: A record is a byte with the label, then the pixels: planes of red, green and blue, each row by row.
_RECORD_BYTES = 1 + 3 * 32 * 32


def read_cifar10_folder(folder: Path, with_test: bool) -> PublishedImages | None:
    """Read the binary version's files.

    Args:
        folder: Folder with `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
        with_test: Whether to read the test images; their file may be missing or cut short otherwise.

    Returns:
        The images, or None if the folder has no file of training images.

    Raises:
        DatasetError: A file is missing, damaged, or not what its name says.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
    """
    if not any(os.path.exists(folder / name) for name in TRAIN_FILES):
        return None
    train = [_read_file(folder / name) for name in TRAIN_FILES]
    test = _read_file(folder / TEST_FILE) if with_test else None
    return _make_images(str(folder), train, test, origin=f"binary files in {folder}")


def read_cifar10_archive(archive: Path, with_test: bool, origin: str) -> PublishedImages:
    """Read the same files out of the archive that their authors offer.

    Args:
        archive: The file `cifar-10-binary.tar.gz`.
        with_test: Whether to read the test images.
        origin: What to note as the images' origin.

    Returns:
        The images.

    Raises:
        DatasetError: The archive is damaged, or is not what its name says.
    """
    names = (*TRAIN_FILES, TEST_FILE) if with_test else TRAIN_FILES
    contents = read_members(archive, [f"{FOLDER}/{name}" for name in names])
    train, test = [contents[f"{FOLDER}/{name}"] for name in TRAIN_FILES], contents.get(f"{FOLDER}/{TEST_FILE}")
    return _make_images(f"{archive}: {FOLDER}", train, test, origin)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        advice = "check that it is there and its permissions"
        if path.name == TEST_FILE:
            advice += ", or take another test set with --test-split held-out"
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}); expected a file of CIFAR-10's binary version: {advice}."
        ) from error


def _make_images(where: str, train: Sequence[bytes], test: bytes | None, origin: str) -> PublishedImages:
    batches = [_parse_file(f"{where}/{name}", data) for name, data in zip(TRAIN_FILES, train, strict=True)]
    images = np.concatenate([batch.images for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    test_batch = None if test is None else _parse_file(f"{where}/{TEST_FILE}", test)
    found = PublishedImages(Split(images, labels), test_batch, origin)
    advice = "put CIFAR-10's own file in its place"
    require_first_labels(CIFAR10, "train", found.train, f"{where}/{TRAIN_FILES[0]}", advice)
    if found.test is not None:
        require_first_labels(CIFAR10, "test", found.test, f"{where}/{TEST_FILE}", advice)
    return found


def _parse_file(where: str, data: bytes) -> Split:
    count, surplus = divmod(len(data), _RECORD_BYTES)
    if surplus or count != _RECORDS_A_FILE:
        advice = "download it again"
        if where.endswith(TEST_FILE):
            advice += ", or take another test set with --test-split held-out"
        found = f"{count:,} records" if not surplus else f"{len(data):,} bytes, which are no whole records,"
        raise DatasetError(
            f"{where} holds {found}; expected {_RECORDS_A_FILE:,} records of {_RECORD_BYTES:,} bytes: {advice}."
        )
    records = np.frombuffer(data, np.uint8).reshape(count, _RECORD_BYTES)
    last = len(CIFAR10.class_names) - 1
    if records[:, 0].max() > last:
        raise DatasetError(
            f"{where} holds the label {records[:, 0].max()}; expected 0 to {last}: put CIFAR-10's own file in its "
            "place."
        )
    height, width, channels = CIFAR10.image_shape
    planes = records[:, 1:].reshape(count, channels, height, width)
    images = np.ascontiguousarray(planes.transpose(0, 2, 3, 1), dtype=np.uint8)
    return Split(images, records[:, 0].astype(np.int32))
