"""MNIST, and Fashion-MNIST in its image, from their four original files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.dataset import Split
from glojax.datasets.idx import read_idx
from glojax.datasets.published import Publication, PublishedImages, SplitName, require_first_labels
from glojax.errors import DatasetError

#: Names of the images' and the labels' file of each split.
TRAIN_FILES: Final = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_FILES: Final = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def read_idx_folder(publication: Publication, folder: Path, with_test: bool) -> PublishedImages | None:
    """Read the original files from a folder.

    Args:
        publication: MNIST or Fashion-MNIST, which name their files alike.
        folder: Folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
            `t10k-labels-idx1-ubyte`, each gzipped (and then ending in `.gz`) or not.
        with_test: Whether to read the test images; their files may be missing otherwise.

    Returns:
        The images, or None if the folder has none of the files.

    Raises:
        DatasetError: Some files are missing, or one is damaged or is not what its name says.

    Source: LeCun, Cortes and Burges, The MNIST database (1998); Xiao, Rasul and Vollgraf, Fashion-MNIST (2017).
    """
    names = (*TRAIN_FILES, *TEST_FILES) if with_test else TRAIN_FILES
    paths = {name: _find_file(folder, name) for name in names}
    missing = [name for name, path in paths.items() if not os.path.exists(path)]
    if len(missing) == len(names):
        return None
    if missing:
        raise DatasetError(
            f"{folder} lacks {', '.join(missing)}; expected all of {publication.title}'s files: pass --data-dir with "
            f"the folder of {', '.join(names)} (each may end in .gz)."
        )
    return read_idx_files(publication, paths, with_test, origin=f"IDX files in {folder}")


def read_idx_files(
    publication: Publication, paths: Mapping[str, Path], with_test: bool, origin: str
) -> PublishedImages:
    """Read the original files, wherever each of them is.

    Args:
        publication: MNIST or Fashion-MNIST.
        paths: Where the file with a name in `TRAIN_FILES` or `TEST_FILES` is.
        with_test: Whether to read the test images.
        origin: What to note as the images' origin.

    Returns:
        The images.

    Raises:
        DatasetError: A file is damaged or is not what its name says.
    """
    train = _read_split(publication, "train", [paths[name] for name in TRAIN_FILES])
    test = _read_split(publication, "test", [paths[name] for name in TEST_FILES]) if with_test else None
    return PublishedImages(train, test, origin)


def _find_file(folder: Path, name: str) -> Path:
    """The plain file where there is one, otherwise the gzipped one, there or not."""
    plain = folder / name
    return plain if os.path.exists(plain) else folder / f"{name}.gz"


def _read_split(publication: Publication, name: SplitName, paths: Sequence[Path]) -> Split:
    images_path, labels_path = paths
    count = {"train": publication.num_train, "test": publication.num_test}[name]
    labels = _read_array(publication, labels_path, "labels", (count,))
    images = _read_array(publication, images_path, "images", (count, *publication.image_shape[:2]))
    last = len(publication.class_names) - 1
    if labels.max() > last:
        raise DatasetError(
            f"{labels_path} holds the label {labels.max()}; expected 0 to {last}: put {publication.title}'s own file "
            "in its place."
        )
    split = Split(images[..., np.newaxis], labels.astype(np.int32))
    # MNIST and its imitations name their files alike.
    advice = f"put {publication.title}'s own file in its place, or name the data set that it is of"
    require_first_labels(publication, name, split, str(labels_path), advice)
    return split


def _read_array(publication: Publication, path: Path, content: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = read_idx(path)
    if array.dtype != np.uint8 or array.shape != shape:
        raise DatasetError(
            f"{path} holds a {array.dtype} array of shape {array.shape}; expected {publication.title}'s {content}, "
            f"uint8 of shape {shape}: check that the files' names are not exchanged, or put {publication.title}'s own "
            "file in its place."
        )
    return array
