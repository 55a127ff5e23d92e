"""IDX files: one array, and a folder of them with any names.

Source: LeCun, Cortes and Burges, The MNIST database (1998), "File formats".
"""

import gzip
import logging
import math
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.given import Examples, GivenArrays
from glojax.datasets.reading import MAX_FILE, MAX_GIVEN, explained, gunzipped, read_file, unpacked_limit
from glojax.errors import DatasetError
from glojax.regular_files import open_given

_LOGGER = logging.getLogger(__name__)

#: Element type by the third byte of the magic number.
_DTYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_REPAIR = "download the file again"

#: How deep below a folder, and at how many files, `read_idx_folder` looks; torchvision has ROOT/MNIST/raw/FILE.
_MAX_DEPTH, _MAX_FILES = 3, 1_000

#: Words by which a file's name tells its split.
_SPLITS: Final = {"train": "train", "t10k": "test", "test": "test", "valid": "validation", "val": "validation"}
_SPLIT_WORD: Final = re.compile("|".join(_SPLITS))
_CONTENT_WORD: Final = re.compile("image|label|data|idx")


def read_idx(path: Path, *, is_published: bool = True) -> NDArray[Any]:
    """Read one read-only array, in the machine's byte order, from an IDX file, gzipped if its name ends in `.gz`.

    It may be as large as a published file; one of a user's own as it is, and unpack to a multiple.
    """
    data = read_file(path, max_bytes=MAX_FILE if is_published else MAX_GIVEN)
    if path.suffix == ".gz":
        advice = f"a gzip file: {_REPAIR}, or drop .gz from its name if it is not compressed"
        try:
            with explained((gzip.BadGzipFile, zlib.error, ValueError), f"{path} cannot be unpacked", advice):
                data = gunzipped(data, None if is_published else unpacked_limit(path))
        except EOFError:
            raise DatasetError(
                f"{path} is cut off after {len(data)} bytes; expected a whole gzip file: {_REPAIR}."
            ) from None
    magic = data[:4]
    if not _is_magic(magic):
        raise DatasetError(
            f"{path} begins with the bytes {magic.hex(' ') or '(none)'}; expected an IDX magic number such as "
            f"00 00 08 03: {_REPAIR}, and name it .gz exactly if it is gzipped."
        )
    dtype, num_axes = np.dtype(_DTYPES[magic[2]]), magic[3]
    header_size = 4 + 4 * num_axes
    # The file may end within its header. NumPy limits the number and the product of the extents.
    with explained(ValueError, f"{path} declares {num_axes} extents that make no array", f"a valid shape: {_REPAIR}"):
        shape = tuple(int(extent) for extent in np.frombuffer(data, ">u4", count=num_axes, offset=4))
        expected_size = header_size + math.prod(shape) * dtype.itemsize
        if len(data) != expected_size:
            raise DatasetError(
                f"{path} holds {len(data)} bytes; expected {expected_size} for an array of shape {shape}, as its "
                f"header says: {_REPAIR}."
            )
        array = np.frombuffer(data, dtype, offset=header_size).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True)
class _IdxFile:
    """An IDX file and what its name and header tell: the data set it belongs to, its split, and its content."""

    path: Path
    group: Path  #: Folder and beginning of the names of all files of the data set.
    split: str
    content: str


def read_idx_folder(path: Path) -> GivenArrays | None:
    """Read IDX files below a folder, or those whose names begin as `path` says; return None where there are none.

    The official files of EMNIST, whose names begin with emnist, hold images with exchanged axes; they are put right.
    """
    folder, prefix = (path, "") if os.path.isdir(path) else (path.parent, path.name)
    if not os.path.isdir(folder):
        return None
    found = [file for file in _find_idx(folder) if prefix in ("", file.group.name)]
    groups = sorted({file.group for file in found})
    if len(groups) > 1:
        raise DatasetError(
            f"{path} holds {len(groups)} data sets of IDX files; expected one: name one of "
            f"{', '.join(map(str, groups))}."
        )
    if not found:
        return None
    # A file may be there twice, packed and unpacked, or in a folder of its own name.
    found.sort(key=lambda file: (len(file.path.parts), file.path.suffix == ".gz", file.path.name), reverse=True)
    paths = {(file.split, file.content): file.path for file in found}
    splits: dict[str, Examples] = {}
    for split in sorted({split for split, _ in paths} | {"train"}):
        for content in ("inputs", "targets"):
            if (split, content) not in paths:
                raise DatasetError(
                    f"{path} lacks a file of {split} {content}, and holds "
                    f"{', '.join(sorted(each.name for each in paths.values()))}; expected IDX files of images and of "
                    "labels for training, and perhaps for validation and test: give them names as train-images, "
                    "train-labels and test-images."
                )
        inputs, targets = (read_idx(paths[split, content], is_published=False) for content in ("inputs", "targets"))
        if paths[split, "inputs"].name.lower().startswith("emnist") and inputs.ndim == 3:
            _LOGGER.warning("%s: the %s images of EMNIST have their axes exchanged; they were turned.", path, split)
            inputs = inputs.transpose(0, 2, 1)
        splits[split] = Examples(inputs, targets)
    names = ", ".join(each.name for _, each in sorted(paths.items()))
    origin = f"IDX files in {paths['train', 'inputs'].parent}: {names}"
    return GivenArrays(origin, splits["train"], splits.get("test"), splits.get("validation"))


def _find_idx(folder: Path) -> Iterator[_IdxFile]:
    num_files = 0
    for parent, folders, names in os.walk(folder):
        if len(Path(parent).parts) - len(folder.parts) == _MAX_DEPTH:
            folders.clear()
        for name in sorted(names):
            num_files += 1
            if num_files > _MAX_FILES:
                return
            path = Path(parent, name)
            if (num_axes := _count_axes(path)) is not None:
                yield _described(path, num_axes)


def _described(path: Path, num_axes: int) -> _IdxFile:
    name = path.name.lower()
    word = _SPLIT_WORD.search(name)
    begin = word or _CONTENT_WORD.search(name)
    prefix = path.name[: begin.start()].strip("-_. ") if begin else ""
    # Kaggle has each file in a folder of the same name, in which a dot may be a hyphen.
    is_alone = re.sub(r"\W", "", path.parent.name.lower()) == re.sub(r"\W", "", name.removesuffix(".gz"))
    folder = path.parent.parent if is_alone else path.parent
    content = "targets" if "label" in name or num_axes == 1 else "inputs"
    return _IdxFile(path, folder / prefix, _SPLITS[word.group()] if word else "train", content)


def _count_axes(path: Path) -> int | None:
    """Return the number of an IDX file's axes, by its name or its first bytes; None for any other file."""
    if (named := re.search(r"idx(\d)", path.name)) is not None:
        return int(named.group(1))
    try:
        with open(path, "rb", opener=open_given) as file:
            magic = gzip.GzipFile(fileobj=file).read(4) if path.suffix == ".gz" else file.read(4)
    except (OSError, EOFError, zlib.error):
        return None
    return magic[3] if _is_magic(magic) and 1 <= magic[3] <= 5 else None


def _is_magic(magic: bytes) -> bool:
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in _DTYPES
