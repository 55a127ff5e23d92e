"""The data sets by name."""

import difflib
import os
from pathlib import Path
from typing import Final, get_args

from glojax.datasets.acquisition import acquire
from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.digits import load_digits
from glojax.datasets.local_files import read_local_files
from glojax.datasets.npz import load_npz
from glojax.datasets.published import CIFAR10, FASHION_MNIST, MNIST, Publication, split_images
from glojax.errors import DatasetError

#: The data sets that have to be fetched, by name.
PUBLICATIONS: Final[dict[str, Publication]] = {
    publication.name: publication for publication in (MNIST, FASHION_MNIST, CIFAR10)
}

#: The names of all data sets.
DATASETS: Final[tuple[str, ...]] = ("digits", *PUBLICATIONS)


def load_dataset(
    name: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    *,
    test_split: TestSplit = "official",
    validation_fraction: float | None = None,
) -> Dataset:
    """Load a data set into memory.

    Args:
        name: A name in `DATASETS`, or the path of a `.npz` file with the arrays `x_train`, `y_train`, `x_test` and
            `y_test`, as for `Dataset.from_arrays`. It may say which images validate: as `x_validation` and
            `y_validation`, or as `validation_indices` into the training images.
        data_dir: Where to read `mnist`, `fashion_mnist` or `cifar10`: a folder with the original files, CIFAR-10's
            archive, or a folder prepared by tensorflow-datasets. By default the cache, which is filled from the network
            the first time. `~` stands for the home folder.
        test_split: "held-out" takes the last 10,000 training images of `mnist`, `fashion_mnist` or `cifar10` for the
            test set, and trains on none of them; the official test images are then not needed.
        validation_fraction: Share of each class of a `.npz` file's training images that validates, where the file does
            not say which do: above 0 and below 1. By default 0.1.

    Returns:
        The data set, the same in every run and from every source.

    Raises:
        DatasetError: The name is unknown; files are missing, damaged or not what their names say; nothing can be
            downloaded; or an option does not go with the data set.

    Example:
        >>> load_dataset("digits").image_shape
        (8, 8, 1)
        >>> load_dataset("digit")
        Traceback (most recent call last):
            ...
        glojax.errors.DatasetError: Unknown data set 'digit'; expected one of digits, mnist, fashion_mnist, cifar10, \
or a path that ends in .npz: did you mean 'digits'?
    """
    name, place = os.fspath(name), None if data_dir is None else Path(os.path.expanduser(data_dir))
    if test_split not in get_args(TestSplit):
        raise DatasetError(
            f"The test split is {test_split!r}; expected one of {', '.join(get_args(TestSplit))}: correct it."
        )
    if validation_fraction is not None and not name.endswith(".npz"):
        raise DatasetError(
            f"Data set {name!r} was given the validation fraction {validation_fraction}; expected none, as its "
            "validation set is fixed: leave --validation-fraction out."
        )
    if name in PUBLICATIONS:
        publication, with_test = PUBLICATIONS[name], test_split == "official"
        images = acquire(publication, with_test) if place is None else read_local_files(publication, place, with_test)
        return split_images(publication, images, test_split)
    if name != "digits" and not name.endswith(".npz"):
        raise _unknown(name)
    if place is not None:
        raise DatasetError(
            f"Data set {name!r} was given the folder {place}; expected none, as its images "
            f"{'come with scikit-learn' if name == 'digits' else 'are all in that file'}: leave --data-dir out."
        )
    if test_split != "official":
        raise DatasetError(
            f"Data set {name!r} was given the test split {test_split!r}; expected 'official', as it has one test set: "
            f"leave --test-split out, or choose one of {', '.join(PUBLICATIONS)}."
        )
    return load_digits() if name == "digits" else load_npz(Path(os.path.expanduser(name)), validation_fraction)


def _unknown(name: str) -> DatasetError:
    nearest = difflib.get_close_matches(name.lower(), DATASETS, n=1)
    advice = f"did you mean {nearest[0]!r}?" if nearest else "choose one of these."
    return DatasetError(
        f"Unknown data set {name!r}; expected one of {', '.join(DATASETS)}, or a path that ends in .npz: {advice}"
    )
