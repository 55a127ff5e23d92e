"""A data set: labelled images in memory, in a training, a validation and a test split."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.datasets.arrays import Images, as_images, as_indices, as_labels
from glojax.errors import DatasetError

#: The test images: those that the authors of the data set chose, or others held out of their training images.
TestSplit: TypeAlias = Literal["official", "held-out"]

#: Seed of the choice of validation images, the same for every run, whatever its own seed.
_VALIDATION_SEED: Final = 0


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, held as read-only views of the given arrays.

    Attributes:
        images: Either uint8 pixels, which stand for pixel / 255, or finite, scaled float32 [N, H, W, channels].
        labels: Class of each image, int32, at least 0 [N].

    Example:
        >>> split = Split(np.zeros((5, 8, 8, 1), np.uint8), np.arange(5, dtype=np.int32))
        >>> len(split)
        5
    """

    images: Images
    labels: NDArray[np.int32]

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.ndim != 4 or 0 in images.shape:
            raise DatasetError(
                f"The images have shape {images.shape}; expected [N, H, W, channels], none of them 0: add a last "
                "axis of 1 to grey images."
            )
        if images.dtype not in (np.uint8, np.float32):
            raise DatasetError(
                f"The images are {images.dtype}; expected uint8 pixels from 0 to 255, or float32 already scaled: "
                "convert them with astype."
            )
        if images.dtype == np.float32 and not np.isfinite(images).all():
            raise DatasetError(
                "The images hold NaN or infinity; expected finite numbers: remove or repair those images."
            )
        if labels.ndim != 1 or labels.dtype != np.int32:
            raise DatasetError(
                f"The labels are {labels.dtype} of shape {labels.shape}; expected int32 of shape [N], one class number "
                "for each image: convert them with astype, and one-hot labels with argmax."
            )
        if labels.size and labels.min() < 0:
            raise DatasetError(f"The labels hold {labels.min()}; expected 0 or more: number the classes from 0.")
        if len(images) != len(labels):
            raise DatasetError(
                f"Got {len(images)} images and {len(labels)} labels; expected as many labels as images: check that "
                "both belong to the same split."
            )
        for name, array in (("images", images), ("labels", labels)):
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp] | slice) -> "Split":
        """Return the images at the indices, with their labels."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification problem in three splits: networks train on `train`, and `validation` measures their fitness.

    Attributes:
        name: Name of the data set, as `load_dataset` takes it if it is in the table of data sets.
        train: Images to train on.
        validation: Images that the search uses and that no network trains on.
        test: Images for the final results only.
        num_classes: Number of classes, at least 2; labels run from 0 to `num_classes` - 1.
        origin: Source of the arrays, in one line: "IDX files in FOLDER", "cache FILE".
        test_split: "official", or "held-out" if the test images are taken from the official training images.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    origin: str = "given arrays"
    test_split: TestSplit = "official"

    @classmethod
    def from_arrays(
        cls,
        name: str,
        train_images: ArrayLike,
        train_labels: ArrayLike,
        test_images: ArrayLike,
        test_labels: ArrayLike,
        *,
        validation: float | ArrayLike | tuple[ArrayLike, ArrayLike] = 0.1,
    ) -> Self:
        """Make a data set of your own images, with as many classes as the largest label plus one.

        Args:
            name: Name of the data set.
            train_images: uint8 pixels, or floats from 0 to 1, which become float32 [N, H, W] or [N, H, W, channels].
            train_labels: Class of each image, whole numbers from 0 to 65,535 [N] or [N, 1].
            test_images: As the training images.
            test_labels: As the training labels.
            validation: The validation split: the fraction of each class of the training images to take, above 0 and
                below 1, which takes the same images every time; or the indices of the training images to take; or a
                tuple (images, labels) of other images.

        Example:
            >>> images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 4
            >>> dataset = Dataset.from_arrays("mine", images, labels, images, labels, validation=0.2)
            >>> dataset.num_classes, [len(split) for split in dataset.splits.values()]
            (4, [16, 4, 20])
        """
        train = _make_split("training", train_images, train_labels)
        test = _make_split("test", test_images, test_labels)
        if isinstance(validation, tuple):
            if len(validation) != 2:
                raise DatasetError(
                    f"The validation set is a tuple of {len(validation)}; expected two, (images, labels): give a list "
                    "or an array for indices."
                )
            held_out = _make_split("validation", *validation)
        else:
            if np.ndim(validation) == 0:
                indices = _share_of_each_class(train.labels, validation)
            else:
                indices = as_indices(validation, len(train))
            held_out, train = train.take(indices), train.take(np.delete(np.arange(len(train)), indices))
        num_classes = 1 + max(int(split.labels.max()) for split in (train, held_out, test))
        return cls(name, train, held_out, test, num_classes)

    def with_train_fraction(self, fraction: float, seed: int) -> Self:
        """Return the same data set with fewer training images, in the same order, for experiments on small data.

        With the same seed, a smaller fraction keeps a subset of the images that a larger one keeps.

        Args:
            fraction: The share of each class to keep, above 0 and at most 1. Every class keeps at least one image.
            seed: Seed of the choice, at least 0.

        Example:
            >>> split = Split(np.zeros((20, 8, 8, 1), np.uint8), np.arange(20, dtype=np.int32) % 2)
            >>> dataset = Dataset("toy", split, split, split, num_classes=2)
            >>> np.bincount(dataset.with_train_fraction(0.3, seed=0).train.labels)
            array([3, 3])
        """
        if not 0 < fraction <= 1:
            raise DatasetError(
                f"The fraction of training images is {fraction}; expected a number above 0 and at most 1: 1 keeps all."
            )
        if seed < 0:
            raise DatasetError(
                f"The seed of the choice of training images is {seed}; expected at least 0: choose another."
            )
        return replace(self, train=self.train.take(stratified_indices(self.train.labels, fraction, seed)))

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise DatasetError(
                f"Data set {self.name!r} has num_classes {self.num_classes}; expected at least 2: count the labels."
            )
        for split_name, split in self.splits.items():
            images = split.images
            if images.shape[1:] != self.image_shape or images.dtype != self.train.images.dtype:
                raise DatasetError(
                    f"The {split_name} images of data set {self.name!r} are {images.dtype} {images.shape[1:]}; "
                    f"expected {self.train.images.dtype} {self.image_shape} as in training: prepare all splits alike."
                )
            if split.labels.max() >= self.num_classes:
                raise DatasetError(
                    f"The {split_name} split of data set {self.name!r} holds label {split.labels.max()}; expected 0 to "
                    f"{self.num_classes - 1}: correct the labels or num_classes."
                )

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and channels, of every image."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of each split's arrays with their shapes and types, and of `num_classes`, in hexadecimal digits."""
        digest = hashlib.sha256(f"{self.num_classes} classes".encode())
        for split in self.splits.values():
            for array in (split.images, split.labels):
                digest.update(f"; {array.dtype} {array.shape} ".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def stratified_indices(labels: NDArray[np.int32], fraction: float, seed: int) -> NDArray[np.intp]:
    """Choose max(1, round(fraction * n)) of the n images of each class at random, and return their indices, ascending.

    With the same labels and seed, a smaller fraction chooses a subset of the images that a larger one chooses.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    classes = [order[labels[order] == label] for label in np.unique(labels)]
    return np.sort(np.concatenate([indices[: max(1, round(fraction * len(indices)))] for indices in classes]))


def _make_split(which: str, images: ArrayLike, labels: ArrayLike) -> Split:
    image_array, label_array = as_images(images, which), as_labels(labels, which)
    try:
        return Split(image_array, label_array)
    except DatasetError as error:
        raise DatasetError(f"In the {which} split: {error}") from error


def _share_of_each_class(labels: NDArray[np.int32], fraction: Any) -> NDArray[np.intp]:
    """Return the indices of the validation images; every class keeps an image to train on."""
    if isinstance(fraction, bool) or not isinstance(fraction, int | float | np.number) or not 0 < fraction < 1:
        raise DatasetError(
            f"The validation set is {fraction!r}; expected a fraction of the training images above 0 and below 1, "
            "their indices, or a tuple (images, labels): 0.1 takes a tenth."
        )
    kept = stratified_indices(labels, 1 - float(fraction), _VALIDATION_SEED)
    if len(kept) == len(labels):
        raise DatasetError(
            f"The validation fraction {fraction} of {len(labels)} training images, taken from each class and rounded, "
            "leaves no image; expected at least one: raise the fraction."
        )
    return np.delete(np.arange(len(labels)), kept)
