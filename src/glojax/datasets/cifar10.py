"""CIFAR-10, from the six files of its binary version or from the archive that holds them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from glojax.datasets.dataset import Split
from glojax.datasets.publication import Publication, PublishedImages
from glojax.datasets.reading import read_file, read_members, require_sha256
from glojax.errors import DatasetError

_ARCHIVE: Final = "cifar-10-binary.tar.gz"
_FOLDER: Final = "cifar-10-batches-bin"
_TRAIN_FILES: Final = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST_FILE: Final = "test_batch.bin"
_RECORDS_PER_FILE = 10_000
#: A record is one byte with the label, then the pixels: planes of red, green and blue, each in row-major order.
_RECORD_BYTES = 1 + 3 * 32 * 32


class _Cifar10(Publication):
    """The one publication in CIFAR-10's binary format."""

    def read_originals(self, data_dir: Path, with_test: bool) -> PublishedImages | None:
        """Read the six files from a folder or the folder above it, or else the archive."""
        for folder in (data_dir, data_dir / _FOLDER):
            if any(os.path.exists(folder / name) for name in _TRAIN_FILES):
                names = _file_names(with_test)
                expected = "a file of CIFAR-10's binary version: check that it exists and its permissions"
                contents = {name: read_file(folder / name, expected + _test_advice(name)) for name in names}
                return self._parse(str(folder), contents, origin=f"binary files in {folder}")
        archive = data_dir if os.path.isfile(data_dir) else data_dir / _ARCHIVE
        if not os.path.exists(archive):
            return None
        import tensorflow_datasets as tfds

        checksums = {info.filename: info.checksum for info in tfds.builder_cls(self.name).url_infos.values()}
        require_sha256(read_file(archive), checksums[_ARCHIVE], str(archive))
        return self.read_files({_ARCHIVE: archive}, with_test, origin=f"archive {archive}")

    def read_files(self, paths: Mapping[str, Path], with_test: bool, origin: str) -> PublishedImages:
        """Read the six files out of the archive."""
        archive, names = paths[_ARCHIVE], _file_names(with_test)
        members = read_members(archive, [f"{_FOLDER}/{name}" for name in names])
        return self._parse(f"{archive}: {_FOLDER}", {name: members[f"{_FOLDER}/{name}"] for name in names}, origin)

    def _parse(self, where: str, contents: Mapping[str, bytes], origin: str) -> PublishedImages:
        batches = {name: self._parse_file(f"{where}/{name}", data) for name, data in contents.items()}
        first, test = batches[_TRAIN_FILES[0]], batches.pop(_TEST_FILE, None)
        self.require_first_labels("train", first, f"{where}/{_TRAIN_FILES[0]}")
        if test is not None:
            self.require_first_labels("test", test, f"{where}/{_TEST_FILE}")
        images = np.concatenate([batch.inputs for batch in batches.values()])
        labels = np.concatenate([batch.targets for batch in batches.values()])
        return PublishedImages(Split(images, labels), test, origin)

    def _parse_file(self, where: str, data: bytes) -> Split:
        count, surplus = divmod(len(data), _RECORD_BYTES)
        if surplus or count != _RECORDS_PER_FILE:
            found = f"{len(data):,} bytes, which are no whole records," if surplus else f"{count:,} records"
            raise DatasetError(
                f"{where} holds {found}; expected {_RECORDS_PER_FILE:,} records of {_RECORD_BYTES:,} bytes: download "
                f"it again{_test_advice(where)}."
            )
        records = np.frombuffer(data, np.uint8).reshape(count, _RECORD_BYTES)
        labels = records[:, 0].astype(np.int32)
        self.require_known_labels(labels, where)
        height, width, channels = self.image_shape
        planes = records[:, 1:].reshape(count, channels, height, width)
        return Split(np.ascontiguousarray(planes.transpose(0, 2, 3, 1), dtype=np.uint8), labels)


#: Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
CIFAR10: Final = _Cifar10(
    name="cifar10",
    title="CIFAR-10",
    original_files=f"{_TRAIN_FILES[0]} to {_TRAIN_FILES[-1]} and {_TEST_FILE}, or {_ARCHIVE}",
    image_shape=(32, 32, 3),
    num_images={"train": 50_000, "test": 10_000},
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    first_labels={"train": (6, 9, 9, 4, 1, 1, 2, 7, 8, 3), "test": (3, 8, 8, 0, 6, 6, 1, 6, 3, 1)},
)


def _file_names(with_test: bool) -> tuple[str, ...]:
    return (*_TRAIN_FILES, _TEST_FILE) if with_test else _TRAIN_FILES


def _test_advice(path: str) -> str:
    return ", or take another test split with --test-split held-out" if path.endswith(_TEST_FILE) else ""
