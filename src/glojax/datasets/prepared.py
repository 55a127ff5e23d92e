"""Folders that tensorflow-datasets prepared as array_record, read without TensorFlow."""

import io
import json
import os
import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from glojax.datasets.dataset import Split
from glojax.datasets.publication import Publication, PublishedImages, SplitName
from glojax.datasets.reading import explained
from glojax.errors import DatasetError

#: The file that tensorflow-datasets writes last, and its key with the record files' format.
_INFO_FILE, _FORMAT_KEY = "dataset_info.json", "fileFormat"

_RECORDS_PER_READ: Final = 1_000
_REPAIR: Final = "delete it, and prepare it again"


def find_prepared(folder: Path, publication: Publication) -> Path | None:
    """Find the newest `ROOT/NAME/VERSION` that tensorflow-datasets prepared; `folder` is it or is above it."""
    if _is_prepared(folder):
        return folder
    entries: list[Path] = []
    for parent in (folder, folder / publication.name):
        if os.path.isdir(parent):
            with explained(OSError, f"{parent} cannot be read", "a readable folder: check its permissions"):
                entries += parent.iterdir()
    versions = [entry for entry in entries if re.fullmatch(r"\d+\.\d+\.\d+", entry.name) and _is_prepared(entry)]
    return max(versions, key=lambda path: [int(number) for number in path.name.split(".")], default=None)


def read_prepared(folder: Path, publication: Publication, with_test: bool) -> PublishedImages:
    """Read a prepared folder, and restore the published order: tensorflow-datasets shuffles by a hash of the index."""
    path = folder / _INFO_FILE
    expected = "the file that tensorflow-datasets wrote: delete its folder, and prepare it again"
    with explained((OSError, ValueError), f"{path} cannot be read", expected):
        found = json.loads(path.read_text(encoding="utf-8"))
    found = found if isinstance(found, dict) else {}
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


def _read_split(folder: Path, publication: Publication, name: SplitName, in_order: bool) -> Split:
    shape = (publication.num_images[name], *publication.image_shape)
    # The libraries that read records and pictures raise errors of many types.
    with explained(Exception, f"{folder} cannot be read", f"whole array_record files: {_REPAIR}"):
        images, labels = _read_records(folder, name)
    if images.shape != shape or images.dtype != np.uint8:
        raise DatasetError(
            f"{folder} holds {name} images {images.dtype} {images.shape}; expected uint8 {shape}: {_REPAIR}."
        )
    split = Split(images, labels)
    if not in_order:
        # tensorflow-datasets sorts by a hash of the index, salted with the split's name.
        from tensorflow_datasets.core.hashing import Hasher

        split = split.take(np.argsort(sorted(range(len(split)), key=Hasher(name).hash_key)))
    publication.require_first_labels(name, split, str(folder), _REPAIR)
    return split


def _read_records(folder: Path, name: str) -> tuple[Any, Any]:
    """Read all images and labels of a split in the order of the files."""
    import tensorflow_datasets as tfds
    from PIL import Image

    # Pillow takes a tenth of the time that tensorflow-datasets takes to decode a picture.
    decoders = {"image": tfds.decode.SkipDecoding()}
    records = tfds.builder_from_directory(folder).as_data_source(split=name, decoders=decoders)
    images, labels, indices = [], [], range(len(records))
    for start in indices[::_RECORDS_PER_READ]:
        for record in records.__getitems__(indices[start : start + _RECORDS_PER_READ]):
            image = np.asarray(Image.open(io.BytesIO(record["image"])))
            images.append(image if image.ndim == 3 else image[..., np.newaxis])
            labels.append(record["label"])
    return np.stack(images), np.array(labels, np.int32)
