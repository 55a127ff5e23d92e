"""CIFAR-10, from the six files of its binary or python version, or from the archive of the binary version."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from glojax.datasets.cifar import CIFAR10_BINARY, CIFAR10_PYTHON, CifarForm
from glojax.datasets.publication import Publication, PublishedImages
from glojax.datasets.reading import read_file, read_members, require_sha256
from glojax.datasets.split import Split
from glojax.errors import DatasetError

_ARCHIVE: Final = CIFAR10_BINARY.archive
_IMAGES_PER_FILE = 10_000


class _Cifar10(Publication):
    """The one publication in CIFAR-10's formats."""

    def read_originals(self, data_dir: Path, with_test: bool) -> PublishedImages | None:
        """Read the six files from a folder or the folder above it, or else the archive."""
        for form in (CIFAR10_BINARY, CIFAR10_PYTHON):
            for folder in (data_dir, data_dir / form.folder):
                if any(os.path.isfile(folder / name) for name in form.train_files):
                    expected = "a file of CIFAR-10: check that it exists and its permissions"
                    contents = {
                        name: read_file(folder / name, expected + _test_advice(form, name))
                        for name in _file_names(form, with_test)
                    }
                    kind = "binary" if form is CIFAR10_BINARY else "pickled"
                    return self._parse(form, str(folder), contents, origin=f"{kind} files in {folder}")
        archive = data_dir if os.path.isfile(data_dir) else data_dir / _ARCHIVE
        if not os.path.exists(archive):
            return None
        import tensorflow_datasets as tfds

        checksums = {info.filename: info.checksum for info in tfds.builder_cls(self.name).url_infos.values()}
        require_sha256(read_file(archive), checksums[_ARCHIVE], str(archive))
        return self.read_files({_ARCHIVE: archive}, with_test, origin=f"archive {archive}")

    def read_files(self, paths: Mapping[str, Path], with_test: bool, origin: str) -> PublishedImages:
        """Read the six files out of the archive."""
        form, archive = CIFAR10_BINARY, paths[_ARCHIVE]
        names = _file_names(form, with_test)
        members = read_members(archive, [f"{form.folder}/{name}" for name in names])
        contents = {name: members[f"{form.folder}/{name}"] for name in names}
        return self._parse(form, f"{archive}: {form.folder}", contents, origin)

    def _parse(self, form: CifarForm, where: str, contents: Mapping[str, bytes], origin: str) -> PublishedImages:
        batches = {name: self._parse_file(form, where, name, data) for name, data in contents.items()}
        first, test = batches[form.train_files[0]], batches.pop(form.test_file, None)
        self.require_first_labels("train", first, f"{where}/{form.train_files[0]}")
        if test is not None:
            self.require_first_labels("test", test, f"{where}/{form.test_file}")
        images = np.concatenate([batch.inputs for batch in batches.values()])
        labels = np.concatenate([batch.targets for batch in batches.values()])
        return PublishedImages(Split(images, labels), test, origin)

    def _parse_file(self, form: CifarForm, folder: str, name: str, data: bytes) -> Split:
        where, advice = f"{folder}/{name}", _test_advice(form, name)
        images, labels, _ = form.parse(data, where, advice)
        if len(labels) != _IMAGES_PER_FILE:
            raise DatasetError(
                f"{where} holds {len(labels):,} images; expected {_IMAGES_PER_FILE:,}: download it again{advice}."
            )
        self.require_known_labels(labels, where)
        return Split(images, labels)


#: Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
CIFAR10: Final = _Cifar10(
    name="cifar10",
    title="CIFAR-10",
    original_files=(
        f"{CIFAR10_BINARY.train_files[0]} to {CIFAR10_BINARY.train_files[-1]} and {CIFAR10_BINARY.test_file}, the same "
        f"without .bin, or {_ARCHIVE}"
    ),
    image_shape=(32, 32, 3),
    num_images={"train": 50_000, "test": 10_000},
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    first_labels={"train": (6, 9, 9, 4, 1, 1, 2, 7, 8, 3), "test": (3, 8, 8, 0, 6, 6, 1, 6, 3, 1)},
)


def _file_names(form: CifarForm, with_test: bool) -> tuple[str, ...]:
    return (*form.train_files, form.test_file) if with_test else form.train_files


def _test_advice(form: CifarForm, name: str) -> str:
    return ", or take another test split with --test-split held-out" if name == form.test_file else ""
