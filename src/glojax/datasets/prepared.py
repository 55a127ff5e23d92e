"""Folders that tensorflow-datasets prepared as array_record, read without TensorFlow."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from glojax.datasets.dataset import Split
from glojax.datasets.published import Publication, PublishedImages, SplitName, require_first_labels
from glojax.errors import DatasetError

#: The file that tensorflow-datasets writes last, and its key with the record files' format.
_INFO_FILE, _FORMAT_KEY = "dataset_info.json", "fileFormat"

_RECORDS_AT_A_TIME: Final = 1_000


def find_prepared(folder: Path, publication: Publication) -> Path | None:
    """Find what tensorflow-datasets prepared.

    Args:
        folder: The prepared folder itself, `ROOT/NAME/VERSION`, or the one above it, or the one above that.
        publication: Which data set to look for.

    Returns:
        The prepared folder, of the newest version where there are several; None where there is none.

    Raises:
        DatasetError: A folder cannot be read.
    """
    if _is_prepared(folder):
        return folder
    parents = [parent for parent in (folder, folder / publication.name) if os.path.isdir(parent)]
    try:
        entries = [Path(entry) for parent in parents for entry in os.scandir(parent)]
    except OSError as error:
        raise DatasetError(
            f"{error.filename} cannot be read ({error.strerror}); expected a readable folder: check its permissions."
        ) from error
    versions = [entry for entry in entries if re.fullmatch(r"\d+\.\d+\.\d+", entry.name) and _is_prepared(entry)]
    return max(versions, key=lambda path: [int(number) for number in path.name.split(".")], default=None)


def read_prepared(folder: Path, publication: Publication, with_test: bool) -> PublishedImages:
    """Read a prepared folder.

    tensorflow-datasets shuffles images by a hash of their number. The published order is restored, so that the splits
    are the same as from any other source.

    Args:
        folder: The prepared folder.
        publication: Which data set it must be.
        with_test: Whether to read the test images.

    Returns:
        The images.

    Raises:
        DatasetError: The folder holds another data set, another format than array_record, or damaged files; or the
            images are not those that were published, or in another order.
    """
    found = _read_info(folder)
    if found.get("name") != publication.name or found.get(_FORMAT_KEY) != "array_record":
        raise DatasetError(
            f"{folder} holds data set {found.get('name')!r} as {found.get(_FORMAT_KEY)!r}; expected "
            f"{publication.name!r} as 'array_record': prepare it with download_and_prepare(file_format="
            "'array_record'), or name another folder with --data-dir or TFDS_DATA_DIR."
        )
    in_order = bool(found.get("disableShuffling"))
    train = _read_split(folder, publication, "train", in_order)
    test = _read_split(folder, publication, "test", in_order) if with_test else None
    return PublishedImages(train, test, origin=f"tensorflow-datasets folder {folder}")


def _is_prepared(folder: Path) -> bool:
    return os.path.isfile(folder / _INFO_FILE)


def _read_info(folder: Path) -> dict[str, Any]:
    path = folder / _INFO_FILE
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be read ({error}); expected what tensorflow-datasets wrote: delete the folder, and prepare "
            "it again."
        ) from error
    return info if isinstance(info, dict) else {}


def _read_split(folder: Path, publication: Publication, name: SplitName, in_order: bool) -> Split:
    count = {"train": publication.num_train, "test": publication.num_test}[name]
    try:
        images, labels = _read_records(folder, name)
    # The readers of records and pictures raise errors of many types.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DatasetError(
            f"{folder} cannot be read ({reason}); expected whole array_record files: delete it, and prepare it again."
        ) from error
    if images.shape != (count, *publication.image_shape) or images.dtype != np.uint8:
        raise DatasetError(
            f"{folder} holds {name} images {images.dtype} {images.shape}; expected uint8 "
            f"{(count, *publication.image_shape)}: delete it, and prepare it again."
        )
    if not in_order:
        places = np.argsort(_shuffled_order(name, count))
        images, labels = images[places], labels[places]
    split = Split(images, labels)
    require_first_labels(publication, name, split, str(folder), "delete it, and prepare it again")
    return split


def _read_records(folder: Path, name: str) -> tuple[Any, Any]:
    """All images and labels of a split in the order of the files."""
    import tensorflow_datasets as tfds
    from PIL import Image

    # Decoding pictures ourselves takes a tenth of the time.
    decoders = {"image": tfds.decode.SkipDecoding()}
    records = tfds.builder_from_directory(folder).as_data_source(split=name, decoders=decoders)
    images, labels = [], []
    for start in range(0, len(records), _RECORDS_AT_A_TIME):
        stop = min(start + _RECORDS_AT_A_TIME, len(records))
        for record in records.__getitems__(range(start, stop)):
            image = np.asarray(Image.open(io.BytesIO(record["image"])))
            images.append(image if image.ndim == 3 else image[..., np.newaxis])
            labels.append(record["label"])
    return np.stack(images), np.array(labels, np.int32)


def _shuffled_order(name: str, count: int) -> list[int]:
    """The published number of each record. tensorflow-datasets orders them by hash, salted with the split's name."""
    from tensorflow_datasets.core.hashing import Hasher

    return sorted(range(count), key=Hasher(name).hash_key)
