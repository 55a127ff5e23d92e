"""The cache: all images of a publication in one file, which loads in a fraction of a second.

The file is `FOLDER/NAME/glojax.npz`, beside tensorflow-datasets' prepared files; FOLDER is `TFDS_DATA_DIR` or
`~/tensorflow_datasets`. It holds a SHA-256 of its contents.
"""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.dataset import Split
from glojax.datasets.publication import Publication, PublishedImages
from glojax.errors import DatasetError
from glojax.files import write_atomically

_FORMAT: Final = "glojax cache 1"

#: Names of the arrays with the images and the labels of each split.
_TRAIN, _TEST = ("train_images", "train_labels"), ("test_images", "test_labels")


def data_root() -> Path:
    """Return the folder for all data sets: `TFDS_DATA_DIR` or `~/tensorflow_datasets`, as for tensorflow-datasets."""
    return Path(os.path.expanduser(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"))


def cache_path(publication: Publication) -> Path:
    """Return the path of a publication's cache file, which may not exist."""
    return data_root() / publication.name / "glojax.npz"


def read_cache(publication: Publication) -> PublishedImages | None:
    """Read a publication's cache file.

    Returns:
        The images, without test images if the file has none; None if there is no file.

    Raises:
        DatasetError: The file cannot be read, is damaged, or holds another data set.
    """
    path = cache_path(publication)
    if not os.path.exists(path):
        return None
    repair = f"delete it, and `python -m glojax.datasets fetch {publication.name}` makes it again"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, NDArray[Any]] = dict(archive)
        found, expected = _digest(arrays), str(arrays["sha256"])
    except OSError as error:
        raise DatasetError(
            f"The cache {path} cannot be read ({error.strerror or error}); expected a readable file: {repair}."
        ) from error
    # NumPy and zipfile raise errors of many types.
    except Exception as error:
        raise DatasetError(f"The cache {path} is damaged ({error}); expected a whole .npz file: {repair}.") from error
    if found != expected:
        raise DatasetError(f"The cache {path} has the SHA-256 {found}; expected {expected}: {repair}.")
    train, test = (_split_of(arrays, names) for names in (_TRAIN, _TEST))
    if train is None or train.images.shape != (publication.num_train, *publication.image_shape):
        raise DatasetError(f"The cache {path} does not hold {publication.title}; expected its images: {repair}.")
    publication.require_first_labels("train", train, f"The cache {path}", repair)
    return PublishedImages(train, test, origin=f"cache {path}, from {arrays['origin']}")


def describe_cache(publication: Publication) -> str | None:
    """Describe a publication's cache file by its list of arrays, in a few words; None if there is no file."""
    path = cache_path(publication)
    if not os.path.exists(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return "damaged cache"
    return "cache" if f"{_TEST[0]}.npy" in names else "cache, no test"


def write_cache(publication: Publication, images: PublishedImages) -> Path:
    """Write a publication's cache file, and return its path.

    Raises:
        DatasetError: The folder cannot be written, or the disk is full; an older file is then unchanged.
    """
    path = cache_path(publication)
    arrays: dict[str, NDArray[Any]] = {"origin": np.array(images.origin)}
    for names, split in ((_TRAIN, images.train), (_TEST, images.test)):
        if split is not None:
            arrays |= dict(zip(names, (split.images, split.labels), strict=True))
    arrays["sha256"] = np.array(_digest(arrays))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda unfinished: _save(unfinished, arrays))
    except (OSError, ValueError) as error:
        # After a failed write, NumPy and zipfile raise further errors while they close the file.
        cause = next((cause for cause in _causes(error) if isinstance(cause, OSError)), error)
        raise DatasetError(
            f"Cannot write the cache {path} ({getattr(cause, 'strerror', None) or cause}); expected a folder with "
            f"{sum(array.nbytes for array in arrays.values()) / 1e6:.0f} MB to spare: make room, or set TFDS_DATA_DIR "
            "to another folder. What was there is unchanged."
        ) from error
    return path


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with path.open("xb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub confuses arrays with options


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return the error and its causes, the latest first."""
    return [] if error is None else [error, *_causes(error.__cause__ or error.__context__)]


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for name in sorted(arrays.keys() - {"sha256"}):
        array = arrays[name]
        digest.update(f"; {name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _split_of(arrays: dict[str, NDArray[Any]], names: tuple[str, str]) -> Split | None:
    return Split(*(arrays[name] for name in names)) if arrays.keys() >= set(names) else None
