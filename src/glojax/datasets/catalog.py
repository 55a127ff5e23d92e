"""The table of data sets by name."""

from collections.abc import Callable
from typing import Final

from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.dataset import Dataset
from glojax.datasets.digits import load_digits
from glojax.datasets.mnist import FASHION_MNIST, MNIST
from glojax.datasets.publication import Publication
from glojax.errors import DatasetError

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
        name: Name of the data set, which must not end in `.npz`.
        load_fn: Function that makes the data set, the same in every call. It is called by each `load_dataset(name)`.

    Raises:
        DatasetError: The name exists, or ends in `.npz`.

    Example:
        >>> import numpy as np
        >>> from glojax.datasets import load_dataset
        >>> images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 4
        >>> register_dataset("black", lambda: Dataset.from_arrays("black", images, labels, images, labels))
        >>> load_dataset("black").num_classes
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
