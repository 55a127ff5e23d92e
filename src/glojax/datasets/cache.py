"""The cache: all images of a publication in one file, which loads in a fraction of a second.

The file is `FOLDER/NAME/glojax.npz`, beside tensorflow-datasets' prepared files; FOLDER is `TFDS_DATA_DIR` or
`~/tensorflow_datasets`. It holds a SHA-256 of its contents.
"""

import hashlib
import math
import os
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.publication import Publication, PublishedImages
from glojax.datasets.reading import explained, require_unpacked_size
from glojax.datasets.split import Split
from glojax.errors import DatasetError
from glojax.files import expanded, write_atomically
from glojax.regular_files import open_given

_FORMAT: Final = "glojax cache 1"


def data_root() -> Path:
    """Return the folder for all data sets: `TFDS_DATA_DIR` or `~/tensorflow_datasets`, as for tensorflow-datasets."""
    return expanded(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def cache_path(publication: Publication) -> Path:
    """Return the path of a publication's cache file, which may not exist."""
    return data_root() / publication.name / "glojax.npz"


def read_cache(publication: Publication) -> PublishedImages | None:
    """Read a publication's cache file, which may have no test images; return None if there is no file."""
    path = cache_path(publication)
    if not os.path.exists(path):
        return None
    repair = f"delete it, and `python -m glojax.datasets fetch {publication.name}` makes it again"
    with (
        # NumPy and zipfile raise errors of many types.
        explained(Exception, f"The cache {path} is damaged", f"a whole .npz file: {repair}"),
        explained(OSError, f"The cache {path} cannot be read", f"a readable file: {repair}"),
        open(path, "rb", opener=open_given) as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        require_unpacked_size(archive, archive.files, _largest(publication))
        arrays: dict[str, NDArray[Any]] = dict(archive)
        found, expected = _digest(arrays), str(arrays["sha256"])
    if found != expected:
        raise DatasetError(f"The cache {path} has the SHA-256 {found}; expected {expected}: {repair}.")
    train, test = (
        Split(arrays[f"{name}_images"], arrays[f"{name}_labels"]) if f"{name}_images" in arrays else None
        for name in ("train", "test")
    )
    if train is None or train.inputs.shape != (publication.num_images["train"], *publication.image_shape):
        raise DatasetError(f"The cache {path} does not hold {publication.title}; expected its images: {repair}.")
    publication.require_first_labels("train", train, f"The cache {path}", repair)
    return PublishedImages(train, test, origin=f"cache {path}, from {arrays['origin']}")


def describe_cache(publication: Publication) -> str | None:
    """Describe a publication's cache file by its list of arrays, in a few words; None if there is no file."""
    path = cache_path(publication)
    if not os.path.exists(path):
        return None
    try:
        with open(path, "rb", opener=open_given) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):  # zipfile raises all of these
        return "damaged cache"
    return "cache" if "test_images.npy" in names else "cache, no test"


def write_cache(publication: Publication, images: PublishedImages) -> Path:
    """Write a publication's cache file, and return its path; if that fails, an older file is unchanged."""
    path = cache_path(publication)
    arrays: dict[str, NDArray[Any]] = {"origin": np.array(images.origin)}
    for name, split in (("train", images.train), ("test", images.test)):
        if split is not None:
            arrays |= {f"{name}_images": split.inputs, f"{name}_labels": split.targets}
    arrays["sha256"] = np.array(_digest(arrays))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda unfinished: np.savez(unfinished, **arrays))  # type: ignore[arg-type]
    except (OSError, ValueError) as error:
        # After a failed write, NumPy and zipfile raise further errors while they close the file.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        raise DatasetError(
            f"Cannot write the cache {path} ({getattr(cause, 'strerror', None) or error}); expected a folder with "
            f"{sum(array.nbytes for array in arrays.values()) / 1e6:.0f} MB to spare: make room, or set TFDS_DATA_DIR "
            "to another folder. What was there is unchanged."
        ) from error
    return path


def _largest(publication: Publication) -> int:
    """Return the greatest number of bytes of a publication's arrays, with some for two texts."""
    pixels = math.prod(publication.image_shape)
    return sum(publication.num_images.values()) * (pixels + np.dtype(np.int32).itemsize) + 2**20


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for name in sorted(arrays.keys() - {"sha256"}):
        array = arrays[name]
        digest.update(f"; {name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
