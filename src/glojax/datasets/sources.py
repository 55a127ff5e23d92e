"""The data sets by name."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from glojax.datasets.dataset import Dataset
from glojax.datasets.digits import load_digits
from glojax.datasets.mnist import load_mnist
from glojax.errors import DatasetError

#: How each data set is loaded, given the folder of its files, or None where the user named none.
DATASETS: Final[dict[str, Callable[[Path | None], Dataset]]] = {
    "digits": load_digits,
    "mnist": load_mnist,
}


def load_dataset(name: str, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set into memory.

    Args:
        name: A key of `DATASETS`.
        data_dir: Folder of the data set's files, for one that has files; `~` stands for the home folder.

    Returns:
        The data set, the same in every run.

    Raises:
        DatasetError: The name is unknown, or the files are missing, damaged or not what their names say.

    Example:
        >>> load_dataset("digits").image_shape
        (8, 8, 1)
        >>> load_dataset("digit")
        Traceback (most recent call last):
            ...
        glojax.errors.DatasetError: Unknown data set 'digit'; expected one of digits, mnist: did you mean 'digits'?
    """
    if name not in DATASETS:
        nearest = difflib.get_close_matches(name.lower(), DATASETS, n=1)
        advice = f"did you mean {nearest[0]!r}?" if nearest else "choose one of these."
        raise DatasetError(f"Unknown data set {name!r}; expected one of {', '.join(DATASETS)}: {advice}")
    return DATASETS[name](None if data_dir is None else Path(os.path.expanduser(data_dir)))
