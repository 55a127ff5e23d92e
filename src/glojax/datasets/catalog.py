"""The table of data sets, and loading by name or from the user's own files."""

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Self, get_args

from glojax.datasets.acquisition import acquire, read_local_files
from glojax.datasets.cache import data_root
from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.embedded import EMBEDDED, load_digits
from glojax.datasets.given import make_dataset
from glojax.datasets.mnist import FASHION_MNIST, MNIST
from glojax.datasets.paths import KINDS, SUFFIXES, load_path
from glojax.datasets.publication import Publication
from glojax.datasets.targets import TaskName
from glojax.datasets.tfds import PREFIX, find_tfds, read_tfds
from glojax.datasets.trouble import NoiseKind
from glojax.errors import DatasetError
from glojax.files import expanded

#: All data sets by name: a publication, whose files are downloaded, or a function that makes the data set.
DATASETS: Final[dict[str, Publication | Callable[[], Dataset]]] = {
    "digits": load_digits,
    "mnist": MNIST,
    "fashion_mnist": FASHION_MNIST,
    "cifar10": CIFAR10,
    **EMBEDDED,
}


def register_dataset(name: str, load_fn: Callable[[], Dataset]) -> None:
    """Add a data set of your own to `DATASETS`, so that `load_dataset`, `DatasetSource` and `--dataset` know its name.

    The registration lasts as long as the process; `del DATASETS[name]` ends it earlier. Other processes, such as a
    cluster's workers, do not know the name unless they register it, too.

    Args:
        name: A new name, which must not look like a path, as one with a slash or with `.npz` at its end.
        load_fn: Function that makes the data set, the same in every call. Each `load_dataset(name)` calls it.

    Examples:
        >>> import numpy as np
        >>> images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 4
        >>> register_dataset("black", lambda: Dataset.from_arrays("black", images, labels))
        >>> load_dataset("black").num_outputs
        4
        >>> del DATASETS["black"]
    """
    if name in DATASETS or name.startswith(PREFIX) or is_file_name(name):
        found = "exists already" if name in DATASETS else "reads as a path"
        raise DatasetError(
            f"Cannot register the data set {name!r}, which {found}; expected a name other than "
            f"{', '.join(DATASETS)}, which is no path and no {PREFIX}NAME: choose another."
        )
    DATASETS[name] = load_fn


def publications() -> dict[str, Publication]:
    """Return the data sets of the table that are downloaded, by name."""
    return {name: entry for name, entry in DATASETS.items() if isinstance(entry, Publication)}


def names_files(name: str) -> bool:
    """Return whether the name of a data set is the path of a user's files, and not in `DATASETS` or of the library."""
    return name not in DATASETS and not name.startswith(PREFIX)


def is_file_name(name: str) -> bool:
    """Return whether a name can only be meant as a path."""
    return os.path.basename(name) != name or name.lower().endswith(SUFFIXES)


def load_dataset(
    name: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    test_split: TestSplit = "official",
    validation_fraction: float | None = None,
    target: str | None = None,
    task: TaskName | None = None,
) -> Dataset:
    """Load a data set into memory, the same in every run and from every source.

    Args:
        name: A name in `DATASETS`; `tfds:NAME`, `tfds:NAME/CONFIG`, or either with `:VERSION`, for a data set that
            tensorflow-datasets has prepared as array_record; or the path of your own files, which may be

            - a `.npz` file with the arrays `x_train`, `y_train` and perhaps `x_test` and `y_test`, as for
              `Dataset.from_arrays`, which may define the validation split: as `x_validation` and `y_validation`, or as
              `validation_indices` into the training examples; and weights, as `weights_train` and the like;
            - a `.csv`, `.tsv` or `.parquet` table, or a folder of such tables named train and perhaps validation and
              test: numbers are standardised, a text of up to 100 values becomes an input for each;
            - a folder of CIFAR-10 or CIFAR-100, binary or pickled, or its archive;
            - a folder with IDX files, gzipped or not, or the path at which the names of some of them begin;
            - a folder prepared by tensorflow-datasets.
        data_dir: Source of `mnist`, `fashion_mnist` or `cifar10`: a folder with the original files, CIFAR-10's archive,
            or a folder prepared by tensorflow-datasets. By default the cache, which is filled from the network the
            first time. For `tfds:` the prepared folder or one above it, by default that of tensorflow-datasets. `~`
            stands for the home folder.
        test_split: "held-out" makes the last 10,000 training images of `mnist`, `fashion_mnist` or `cifar10` the test
            split, and does not train on them; the official test images are then not required. Of your own files
            without a test split, it holds out a fifth of the examples, of each class where there are classes.
        validation_fraction: Share of the training examples, of each class where there are classes, that validates, for
            files that do not define the validation split: above 0 and below 1. By default 0.1.
        target: The column of a table to predict, or the feature of a prepared data set.
        task: What the targets of your own files are; None tells it from them.

    Raises:
        DatasetError: There is no such data set, its files are damaged, or an option does not go with it.

    Examples:
        >>> load_dataset("digits").input_shape
        (8, 8, 1)
    """
    name, folder = os.fspath(name), None if data_dir is None else expanded(data_dir)
    entry, is_prepared, is_path = DATASETS.get(name), name.startswith(PREFIX), names_files(name)
    if test_split not in get_args(TestSplit):
        raise DatasetError(
            f"The test split is {test_split!r}; expected one of {', '.join(get_args(TestSplit))}: correct it."
        )
    if is_path and not is_file_name(name) and not (name and os.path.exists(expanded(name))):
        nearest = difflib.get_close_matches(name.lower(), DATASETS, n=1)
        advice = f"did you mean {nearest[0]!r}?" if nearest else "choose one of these."
        raise DatasetError(
            f"Unknown data set {name!r}; expected one of {', '.join(DATASETS)}, {PREFIX}NAME, or the path of {KINDS}: "
            f"{advice}"
        )
    if not (is_path or is_prepared):
        _require_none(name, "validation fraction", validation_fraction, "its validation set is fixed")
        _require_none(name, "target", target, "its targets are known")
        _require_none(name, "task", task, "its task is known")
    if isinstance(entry, Publication):
        with_test = test_split == "official"
        images = acquire(entry, with_test) if folder is None else read_local_files(entry, folder, with_test)
        return entry.make_dataset(images, test_split)
    if not is_prepared:
        _require_none(
            name, "folder", folder, f"its examples are {'all at that path' if is_path else 'built in'}", "data-dir"
        )
    if is_prepared:
        found = find_tfds(name.removeprefix(PREFIX), folder or data_root())
        given = replace(read_tfds(found, target), task=task)
        return make_dataset(re.sub(r"\W", "-", name), str(found), given, validation_fraction, test_split)
    if entry is None:
        return load_path(expanded(name), target, task, validation_fraction, test_split)
    if test_split != "official":
        raise DatasetError(
            f"Data set {name!r} was given the test split {test_split!r}; expected 'official', as it has one test set: "
            f"leave --test-split out, or choose one of {', '.join(publications())}."
        )
    dataset: Any = entry()
    if not isinstance(dataset, Dataset):
        raise DatasetError(
            f"The function registered as data set {name!r} returned {type(dataset).__name__}; expected a "
            "glojax.Dataset: make one, perhaps with Dataset.from_arrays."
        )
    return dataset


def _require_none(name: str, what: str, value: object, reason: str, option: str | None = None) -> None:
    """Raise DatasetError where a data set was given an option that does not go with it."""
    if value is not None:
        raise DatasetError(
            f"Data set {name!r} was given the {what} {value}; expected none, as {reason}: leave "
            f"--{option or what.replace(' ', '-')} out."
        )


@dataclass(frozen=True)
class DatasetSource:
    """The arguments of `load_dataset` and of the methods of `Dataset` that change its training examples.

    With them another process loads the same data. The methods are called in the order of the fields here.
    """

    name: str
    data_dir: str | None = None
    test_split: TestSplit = "official"
    validation_fraction: float | None = None
    target: str | None = None
    task: TaskName | None = None
    train_fraction: float = 1.0  #: See `Dataset.with_train_fraction`.
    imbalance: float = 1.0  #: See `Dataset.with_imbalance`.
    label_noise: float = 0.0  #: See `Dataset.with_label_noise`.
    noise_kind: NoiseKind = "symmetric"
    seed: int = 0  #: Seed of what is drawn for these three.

    def absolute(self) -> Self:
        """Return the same source with absolute paths, which do not depend on the current folder."""
        name = _absolute(self.name) if names_files(self.name) else self.name
        return replace(self, name=name, data_dir=None if self.data_dir is None else _absolute(self.data_dir))

    def load(self) -> Dataset:
        """Load the data set."""
        dataset = load_dataset(
            self.name,
            self.data_dir,
            test_split=self.test_split,
            validation_fraction=self.validation_fraction,
            target=self.target,
            task=self.task,
        )
        if self.train_fraction != 1:
            dataset = dataset.with_train_fraction(self.train_fraction, self.seed)
        if self.imbalance != 1:
            dataset = dataset.with_imbalance(self.imbalance, self.seed)
        if self.label_noise != 0:
            dataset = dataset.with_label_noise(self.label_noise, self.seed, self.noise_kind)
        return dataset


def _absolute(path: str) -> str:
    return str(expanded(path).absolute())
