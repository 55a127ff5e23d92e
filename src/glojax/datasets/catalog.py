"""The table of data sets, and loading by name or from the user's own .npz files."""

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self, get_args

import numpy as np
from numpy.lib.npyio import NpzFile

from glojax.datasets.acquisition import acquire, read_local_files
from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.dataset import Dataset, Split, TestSplit
from glojax.datasets.mnist import FASHION_MNIST, MNIST
from glojax.datasets.publication import Publication
from glojax.datasets.reading import explained, require_unpacked_size, unpacked_limit
from glojax.datasets.targets import TaskName
from glojax.errors import DatasetError
from glojax.files import expanded
from glojax.regular_files import open_given

_REQUIRED: Final = ("x_train", "y_train", "x_test", "y_test")
_VALIDATION: Final = ("x_validation", "y_validation")
_INDICES: Final = "validation_indices"
_KNOWN: Final = (*_REQUIRED, *_VALIDATION, _INDICES)


def load_digits() -> Dataset:
    """Load 1,077 training, 360 validation and 360 test images [N, 8, 8, 1] in [0, 1]: the counts 0 to 16, over 16.

    The split is ours, and stratified: every split has the same shares of the ten classes, to one image.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), test part, from scikit-learn.
    """
    # The import takes a second, and other data sets do not need it.
    from sklearn import __version__ as sklearn_version
    from sklearn.datasets import load_digits as load_sklearn_digits
    from sklearn.model_selection import train_test_split

    source = load_sklearn_digits()
    images = (source.images[..., np.newaxis] / 16).astype(np.float32)
    labels = source.target.astype(np.int32)

    def hold_out(indices: Any) -> Any:
        return train_test_split(indices, test_size=360, stratify=labels[indices], random_state=0)

    rest, test = hold_out(np.arange(len(labels)))
    train, validation, test = (Split(images[indices], labels[indices]) for indices in (*hold_out(rest), test))
    return Dataset("digits", train, validation, test, num_outputs=10, origin=f"scikit-learn {sklearn_version}")


#: All data sets by name: a publication, whose files are downloaded, or a function that makes the data set.
DATASETS: Final[dict[str, Publication | Callable[[], Dataset]]] = {
    "digits": load_digits,
    "mnist": MNIST,
    "fashion_mnist": FASHION_MNIST,
    "cifar10": CIFAR10,
}


def register_dataset(name: str, load_fn: Callable[[], Dataset]) -> None:
    """Add a data set of your own to `DATASETS`, so that `load_dataset`, `DatasetSource` and `--dataset` know its name.

    The registration lasts as long as the process; `del DATASETS[name]` ends it earlier. Other processes, such as a
    cluster's workers, do not know the name unless they register it, too.

    Args:
        name: A new name, which must not end in `.npz`.
        load_fn: Function that makes the data set, the same in every call. Each `load_dataset(name)` calls it.

    Example:
        >>> import numpy as np
        >>> images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 4
        >>> register_dataset("black", lambda: Dataset.from_arrays("black", images, labels))
        >>> load_dataset("black").num_outputs
        4
        >>> del DATASETS["black"]
    """
    if name in DATASETS or name.endswith(".npz"):
        found = "exists already" if name in DATASETS else "is the path of a file"
        raise DatasetError(
            f"Cannot register the data set {name!r}, which {found}; expected a name other than "
            f"{', '.join(DATASETS)}, without .npz at its end: choose another."
        )
    DATASETS[name] = load_fn


def publications() -> dict[str, Publication]:
    """Return the data sets of the table that are downloaded, by name."""
    return {name: entry for name, entry in DATASETS.items() if isinstance(entry, Publication)}


def load_dataset(
    name: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    test_split: TestSplit = "official",
    validation_fraction: float | None = None,
    task: TaskName | None = None,
) -> Dataset:
    """Load a data set into memory, the same in every run and from every source.

    Args:
        name: A name in `DATASETS`, or the path of a `.npz` file with the arrays `x_train`, `y_train`, `x_test` and
            `y_test`, as for `Dataset.from_arrays`. The file may define the validation split: as `x_validation` and
            `y_validation`, or as `validation_indices` into the training images.
        data_dir: Source of `mnist`, `fashion_mnist` or `cifar10`: a folder with the original files, CIFAR-10's archive,
            or a folder prepared by tensorflow-datasets. By default the cache, which is filled from the network the
            first time. `~` stands for the home folder.
        test_split: "held-out" makes the last 10,000 training images of `mnist`, `fashion_mnist` or `cifar10` the test
            split, and does not train on them; the official test images are then not required.
        validation_fraction: Share of each class of a `.npz` file's training images that validates, for a file that does
            not define the validation split: above 0 and below 1. By default 0.1.
        task: What the targets of a `.npz` file are; None tells it from them, where they leave one task.

    Example:
        >>> load_dataset("digits").input_shape
        (8, 8, 1)
    """
    name, folder = os.fspath(name), None if data_dir is None else expanded(data_dir)
    is_file, entry = name.endswith(".npz"), DATASETS.get(name)
    if test_split not in get_args(TestSplit):
        raise DatasetError(
            f"The test split is {test_split!r}; expected one of {', '.join(get_args(TestSplit))}: correct it."
        )
    if validation_fraction is not None and not is_file:
        raise DatasetError(
            f"Data set {name!r} was given the validation fraction {validation_fraction}; expected none, as its "
            "validation set is fixed: leave --validation-fraction out."
        )
    if task is not None and not is_file:
        raise DatasetError(
            f"Data set {name!r} was given the task {task!r}; expected none, as its task is fixed: leave --task out."
        )
    if isinstance(entry, Publication):
        with_test = test_split == "official"
        images = acquire(entry, with_test) if folder is None else read_local_files(entry, folder, with_test)
        return entry.make_dataset(images, test_split)
    if entry is None and not is_file:
        nearest = difflib.get_close_matches(name.lower(), DATASETS, n=1)
        advice = f"did you mean {nearest[0]!r}?" if nearest else "choose one of these."
        raise DatasetError(
            f"Unknown data set {name!r}; expected one of {', '.join(DATASETS)}, or a path that ends in .npz: {advice}"
        )
    if folder is not None:
        raise DatasetError(
            f"Data set {name!r} was given the folder {folder}; expected none, as its images "
            f"{'are all in that file' if is_file else 'are built in'}: leave --data-dir out."
        )
    if test_split != "official":
        raise DatasetError(
            f"Data set {name!r} was given the test split {test_split!r}; expected 'official', as it has one test set: "
            f"leave --test-split out, or choose one of {', '.join(publications())}."
        )
    if entry is None:
        return _load_npz(expanded(name), validation_fraction, task)
    dataset: Any = entry()
    if not isinstance(dataset, Dataset):
        raise DatasetError(
            f"The function registered as data set {name!r} returned {type(dataset).__name__}; expected a "
            "glojax.Dataset: make one, perhaps with Dataset.from_arrays."
        )
    return dataset


@dataclass(frozen=True)
class DatasetSource:
    """The arguments of `load_dataset` and `Dataset.with_train_fraction`, with which another process loads it."""

    name: str
    data_dir: str | None = None
    test_split: TestSplit = "official"
    validation_fraction: float | None = None
    train_fraction: float = 1.0  #: Share of each class of the training examples to keep.
    seed: int = 0  #: Seed of the choice of training examples.
    task: TaskName | None = None

    def absolute(self) -> Self:
        """Return the same source with absolute paths, which do not depend on the current folder."""
        name = _absolute(self.name) if self.name.endswith(".npz") else self.name
        return replace(self, name=name, data_dir=None if self.data_dir is None else _absolute(self.data_dir))

    def load(self) -> Dataset:
        """Load the data set."""
        dataset = load_dataset(
            self.name,
            self.data_dir,
            test_split=self.test_split,
            validation_fraction=self.validation_fraction,
            task=self.task,
        )
        return dataset if self.train_fraction == 1 else dataset.with_train_fraction(self.train_fraction, self.seed)


def _absolute(path: str) -> str:
    return str(expanded(path).absolute())


def _load_npz(path: Path, validation_fraction: float | None = None, task: TaskName | None = None) -> Dataset:
    """Load a data set, with arrays as `load_dataset` describes them, and name it after the file."""
    # NumPy and zipfile raise errors of many types. numpy.load would advise to allow pickled objects, which is not safe.
    expected = "a .npz file with arrays of numbers, without Python objects: save it with numpy.savez"
    with (
        explained(Exception, f"{path} cannot be read", expected),
        explained(OSError, f"{path} cannot be read", "a .npz file: check the path"),
        open(path, "rb", opener=open_given) as file,
        NpzFile(file, allow_pickle=False) as archive,
    ):
        require_unpacked_size(archive, _KNOWN, unpacked_limit(file))
        names, arrays = archive.files, {key: archive[key] for key in _KNOWN if key in archive.files}
    missing = [key for key in _REQUIRED if key not in arrays]
    if missing:
        raise DatasetError(
            f"{path} lacks {', '.join(missing)}, and holds {', '.join(names) or 'nothing'}; expected the arrays "
            f"{', '.join(_REQUIRED)}: save them under these names."
        )
    for key in names:
        if key not in _KNOWN and key.startswith(("x_", "y_", "validation")):
            nearest = difflib.get_close_matches(key, _KNOWN, n=1)
            raise DatasetError(
                f"{path} holds the unknown array {key!r}; expected {', '.join(_KNOWN)}: "
                f"{f'rename it, perhaps to {nearest[0]}' if nearest else 'rename or remove it'}."
            )
    given = [key for key in (*_VALIDATION, _INDICES) if key in arrays]
    if given and given not in ([*_VALIDATION], [_INDICES]):
        raise DatasetError(
            f"{path} holds {', '.join(given)}; expected either {' and '.join(_VALIDATION)} or {_INDICES}: add or "
            "remove some."
        )
    if given and validation_fraction is not None:
        raise DatasetError(
            f"{path} holds {', '.join(given)}, and the validation fraction {validation_fraction} was given; expected "
            "one of them: leave --validation-fraction out."
        )
    validation: Any = 0.1 if validation_fraction is None else validation_fraction
    if given:
        validation = arrays[_INDICES] if given == [_INDICES] else tuple(arrays[key] for key in _VALIDATION)
    try:
        x_train, y_train, x_test, y_test = (arrays[key] for key in _REQUIRED)
        dataset = Dataset.from_arrays(
            path.stem, x_train, y_train, validation=validation, test=(x_test, y_test), task=task
        )
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    return replace(dataset, origin=f"file {path}")
