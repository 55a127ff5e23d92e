"""A user's own files: what kind of data a path holds is told by names, or the first bytes of files."""

import os
from dataclasses import replace
from pathlib import Path

from glojax.datasets.cifar import read_cifar
from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.given import make_dataset
from glojax.datasets.idx import read_idx_folder
from glojax.datasets.npz import read_npz
from glojax.datasets.prepared import is_prepared
from glojax.datasets.tables import TABLES, read_table
from glojax.datasets.targets import TaskName
from glojax.datasets.tfds import read_tfds
from glojax.errors import DatasetError

#: What a path may hold, for messages.
KINDS = (
    "a .npz file; a .csv, .tsv or .parquet table, or a folder with such a train table; a folder of CIFAR-10 or "
    "CIFAR-100, or an official archive; a folder of IDX files; or a folder prepared by tensorflow-datasets"
)

#: Endings of the names of files of a user's own.
SUFFIXES = (".npz", *TABLES)


def load_path(
    path: Path, target: str | None, task: TaskName | None, validation_fraction: float | None, test_split: TestSplit
) -> Dataset:
    """Load what a file or folder holds, and name it after that; the first kind that the files' names fit counts."""
    given = read_tfds(path, target) if is_prepared(path) else read_table(path, target, task)
    if given is None:
        readers = (read_npz,) if path.suffix.lower() == ".npz" else (read_cifar, read_idx_folder)
        found = [each for reader in readers if (each := reader(path)) is not None]
        if len(found) > 1:
            raise DatasetError(
                f"{path} holds {' and '.join(each.origin for each in found)}; expected one data set: name its folder."
            )
        given = found[0] if found else None
        if given is None:
            there = "is not recognised" if os.path.exists(path) else "does not exist"
            raise DatasetError(f"{path} {there}; expected {KINDS}: check the path and the names of its files.")
        if target is not None:
            raise DatasetError(
                f"{path} was given the target {target!r}; expected none, as its files say which their targets are: "
                "leave --target out."
            )
    whole = Path(os.path.abspath(path))
    name = whole.name if os.path.isdir(whole) else whole.stem
    return make_dataset(name, str(path), replace(given, task=task or given.task), validation_fraction, test_split)
