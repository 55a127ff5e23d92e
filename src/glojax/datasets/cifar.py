"""The official files of CIFAR-10 and CIFAR-100, in both forms: records of bytes, and pickles of Python 2.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009), and the pages of the data sets.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from glojax.datasets.given import Examples, GivenArrays
from glojax.datasets.pickled import unpickled
from glojax.datasets.reading import MAX_FILE, explained, read_file, read_members
from glojax.errors import DatasetError

_PIXELS: Final = 3 * 32 * 32  #: Planes of red, green and blue, each in row-major order.


@dataclass(frozen=True)
class CifarForm:
    """How a data set's files are named and written."""

    folder: str  #: Folder in the archive
    archive: str
    train_files: tuple[str, ...]
    test_file: str
    labels: int | str  #: Bytes of labels before the pixels of a record, the last of which counts; or a pickle's key
    companion: str | None = None  #: File that tells the folder, if it has another name, where the others could be any

    def parse(self, data: bytes, where: str, advice: str = "") -> Examples:
        """Return images, uint8 [N, 32, 32, 3], and labels, int32 [N]; a message on damaged data ends with the advice.

        Raises:
            DatasetError: The data is damaged, or of another form.
        """
        pixels: Any
        if isinstance(self.labels, int):
            size = self.labels + _PIXELS
            if not data or len(data) % size:
                raise DatasetError(
                    f"{where} holds {len(data):,} bytes, which are no whole records; expected records of {size:,} "
                    f"bytes: download it again{advice}."
                )
            records = np.frombuffer(data, np.uint8).reshape(-1, size)
            pixels, labels = records[:, self.labels :], records[:, self.labels - 1]
        else:
            expected = f"a pickle of NumPy arrays, as the authors published it: download it again{advice}"
            with explained(ValueError, f"{where} cannot be read", expected):
                content = unpickled(data)
                pixels, labels = content.get("data"), np.array(content.get(self.labels))
                is_whole = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8
                if not is_whole or pixels.shape != (*labels.shape, _PIXELS) or labels.dtype.kind != "i":
                    raise ValueError(f"it lacks data of {_PIXELS:,} pixels, or as many {self.labels}")
        planes = pixels.reshape(-1, 3, 32, 32)
        return Examples(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels.astype(np.int32))


_BATCHES: Final = tuple(f"data_batch_{number}" for number in range(1, 6))

CIFAR10_BINARY: Final = CifarForm(
    "cifar-10-batches-bin",
    "cifar-10-binary.tar.gz",
    tuple(f"{name}.bin" for name in _BATCHES),
    "test_batch.bin",
    labels=1,
)
CIFAR10_PYTHON: Final = CifarForm(
    "cifar-10-batches-py", "cifar-10-python.tar.gz", _BATCHES, "test_batch", labels="labels"
)
_FORMS: Final = (
    CIFAR10_BINARY,
    CIFAR10_PYTHON,
    CifarForm("cifar-100-binary", "cifar-100-binary.tar.gz", ("train.bin",), "test.bin", 2, "fine_label_names.txt"),
    CifarForm("cifar-100-python", "cifar-100-python.tar.gz", ("train",), "test", "fine_labels", "meta"),
)


def read_cifar(path: Path) -> GivenArrays | None:
    """Read the folder, the one above it, or the archive of a form; return None if `path` is nothing of this kind.

    A folder may have fewer training files, and may lack the test file.
    """
    found = [(form, place) for form in _FORMS if (place := _find(form, path)) is not None]
    if not found:
        return None
    if len(found) > 1:
        places = ", ".join(str(place) for _, place in found)
        raise DatasetError(f"{path} holds {len(found)} data sets of CIFAR; expected one: name one of {places}.")
    form, place = found[0]
    names = (*form.train_files, form.test_file)
    if os.path.isfile(place):
        members = read_members(place, [f"{form.folder}/{name}" for name in names], MAX_FILE)
        contents = {name: members[f"{form.folder}/{name}"] for name in names}
    else:
        contents = {name: read_file(place / name) for name in names if os.path.isfile(place / name)}
    batches = {name: form.parse(data, f"{place}/{name}") for name, data in contents.items()}
    train = [batches[name] for name in form.train_files if name in batches]
    return GivenArrays(
        f"CIFAR files {', '.join(contents)} in {place}",
        Examples(*(np.concatenate([getattr(batch, name) for batch in train]) for name in ("inputs", "targets"))),
        batches.get(form.test_file),
    )


def _find(form: CifarForm, path: Path) -> Path | None:
    """Return the folder or archive of a form that `path` is, or is above."""
    for place in (path, path / form.folder):
        is_told = form.companion is None or place.name == form.folder or os.path.exists(place / form.companion)
        if is_told and any(os.path.isfile(place / name) for name in form.train_files):
            return place
    archive = path if path.name == form.archive else path / form.archive
    return archive if os.path.isfile(archive) else None
