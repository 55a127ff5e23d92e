"""MNIST, from a folder with its four original files."""

import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.dataset import Dataset, Split
from glojax.datasets.idx import read_idx
from glojax.errors import DatasetError

#: The first images of the training files are the validation split.
_NUM_VALIDATION = 5_000

#: Names of the images' and the labels' file, and the number of entries in each.
_TRAIN_FILES: Final = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 60_000)
_TEST_FILES: Final = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10_000)
_FILE_NAMES: Final = (*_TRAIN_FILES[:2], *_TEST_FILES[:2])


def load_mnist(data_dir: Path | None = None) -> Dataset:
    """Load MNIST: 55,000 training, 5,000 validation and 10,000 test images.

    The first 5,000 training images are the validation split.

    Args:
        data_dir: Folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
            `t10k-labels-idx1-ubyte`, each gzipped (and then ending in `.gz`) or not.

    Returns:
        Images [N, 28, 28, 1], uint8. Ten classes.

    Raises:
        DatasetError: `data_dir` is missing or not a folder, lacks a file, or holds one that is damaged or is not what
            its name says.

    Source: LeCun, Cortes and Burges, The MNIST database (1998). Which training images validate is not in the paper
    (Gonzalez and Miikkulainen, 2020); the choice is ours and reproduces its figures.
    """
    folder = _require_folder(data_dir)
    images, labels = _read_pair(folder, *_TRAIN_FILES)
    test = Split(*_read_pair(folder, *_TEST_FILES))
    validation = Split(images[:_NUM_VALIDATION], labels[:_NUM_VALIDATION])
    train = Split(images[_NUM_VALIDATION:], labels[_NUM_VALIDATION:])
    return Dataset("mnist", train, validation, test, num_classes=10)


def _require_folder(data_dir: Path | None) -> Path:
    """The folder, once every file is known to be there."""
    advice = f"pass --data-dir with the folder of the four files {', '.join(_FILE_NAMES)} (each may end in .gz)"
    if data_dir is None:
        raise DatasetError(f"Data set 'mnist' was given no folder; expected one with its files: {advice}.")
    if not os.path.isdir(data_dir):
        found = "is not a folder" if os.path.exists(data_dir) else "does not exist"
        raise DatasetError(f"{data_dir} {found}; expected the folder of MNIST's files: {advice}.")
    missing = [name for name in _FILE_NAMES if not os.path.exists(_find_file(data_dir, name))]
    if missing:
        raise DatasetError(f"{data_dir} lacks {', '.join(missing)}; expected all of MNIST's files: {advice}.")
    return data_dir


def _find_file(folder: Path, name: str) -> Path:
    """The plain file where there is one, otherwise the gzipped one, there or not."""
    plain = folder / name
    return plain if os.path.exists(plain) else folder / f"{name}.gz"


def _read_pair(
    folder: Path, images_name: str, labels_name: str, count: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Images [count, 28, 28, 1] and labels [count]."""
    labels_path = _find_file(folder, labels_name)
    labels = _read_array(labels_path, "labels", (count,))
    images = _read_array(_find_file(folder, images_name), "images", (count, 28, 28))
    if labels.max() > 9:
        raise DatasetError(
            f"{labels_path} holds the label {labels.max()}; expected 0 to 9: put MNIST's own file in its place."
        )
    return images[..., np.newaxis], labels.astype(np.int32)


def _read_array(path: Path, content: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = read_idx(path)
    if array.dtype != np.uint8 or array.shape != shape:
        raise DatasetError(
            f"{path} holds a {array.dtype} array of shape {array.shape}; expected MNIST's {content}, uint8 of shape "
            f"{shape}: check that the files' names are not exchanged, or put MNIST's own file in its place."
        )
    return array
