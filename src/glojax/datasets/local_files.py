"""A folder or file that the user names, whatever of a publication it holds."""

import os
from pathlib import Path

from glojax.datasets.builders import require_registered_archive
from glojax.datasets.cifar10 import ARCHIVE, FOLDER, TEST_FILE, TRAIN_FILES, read_cifar10_archive, read_cifar10_folder
from glojax.datasets.mnist import TEST_FILES as MNIST_TEST_FILES
from glojax.datasets.mnist import TRAIN_FILES as MNIST_TRAIN_FILES
from glojax.datasets.mnist import read_idx_folder
from glojax.datasets.prepared import find_prepared, read_prepared
from glojax.datasets.published import CIFAR10, Publication, PublishedImages
from glojax.errors import DatasetError


def describe_files(publication: Publication) -> str:
    """What a folder with a publication's original files holds, for messages."""
    if publication is CIFAR10:
        return f"{TRAIN_FILES[0]} to {TRAIN_FILES[-1]} and {TEST_FILE}, or {ARCHIVE}"
    return f"{', '.join((*MNIST_TRAIN_FILES, *MNIST_TEST_FILES))}, gzipped or not"


def read_local_files(publication: Publication, data_dir: Path, with_test: bool) -> PublishedImages:
    """Read a publication from where the user says it is.

    Args:
        publication: Which data set to read.
        data_dir: A folder with its original files; CIFAR-10's archive, or a folder with it; or a folder that
            tensorflow-datasets prepared, or one of the two folders above that.
        with_test: Whether to read the test images.

    Returns:
        The images.

    Raises:
        DatasetError: There is nothing of the kind, or it is not whole.
    """
    advice = (
        f"pass --data-dir with the folder of its original files ({describe_files(publication)}) or with a folder "
        "prepared by tensorflow-datasets"
    )
    if os.path.isfile(data_dir) and publication is CIFAR10:
        return _read_archive(data_dir, with_test)
    if not os.path.isdir(data_dir):
        found = "is not a folder" if os.path.exists(data_dir) else "does not exist"
        raise DatasetError(f"{data_dir} {found}; expected {publication.title}: {advice}.")
    images = _read_originals(publication, data_dir, with_test)
    if images is not None:
        return images
    prepared = find_prepared(data_dir, publication)
    if prepared is None:
        raise DatasetError(f"{data_dir} does not hold {publication.title}; expected its files: {advice}.")
    return read_prepared(prepared, publication, with_test)


def _read_originals(publication: Publication, folder: Path, with_test: bool) -> PublishedImages | None:
    if publication is not CIFAR10:
        return read_idx_folder(publication, folder, with_test)
    for files in (folder, folder / FOLDER):
        images = read_cifar10_folder(files, with_test)
        if images is not None:
            return images
    archive = folder / ARCHIVE
    return _read_archive(archive, with_test) if os.path.exists(archive) else None


def _read_archive(archive: Path, with_test: bool) -> PublishedImages:
    require_registered_archive(CIFAR10, archive)
    return read_cifar10_archive(archive, with_test, origin=f"archive {archive}")
