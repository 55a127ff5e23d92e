"""A data set: labelled images in memory, in a training, a validation and a test split."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glojax.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels. The arrays are held as read-only views, not copied.

    Attributes:
        images: Either uint8 pixels, which stand for pixel / 255, or float32, finite and scaled already
            [N, H, W, channels].
        labels: Class of each image, int32, at least 0 [N].

    Raises:
        DatasetError: A shape or a type is another, the counts differ or are 0, a label is negative, or a float image
            holds NaN or infinity.

    Example:
        >>> split = Split(np.zeros((5, 8, 8, 1), np.uint8), np.arange(5, dtype=np.int32))
        >>> len(split)
        5
    """

    images: NDArray[np.uint8] | NDArray[np.float32]
    labels: NDArray[np.int32]

    def __post_init__(self) -> None:
        _require_images(self.images)
        _require_labels(self.labels)
        if len(self.images) != len(self.labels):
            raise DatasetError(
                f"Got {len(self.images)} images and {len(self.labels)} labels; expected as many labels as images: "
                "check that both belong to the same split."
            )
        object.__setattr__(self, "images", _read_only(self.images))
        object.__setattr__(self, "labels", _read_only(self.labels))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A classification problem. Networks train on `train`, fitness is measured on `validation`, results on `test`.

    Attributes:
        name: What `load_dataset` knows it as.
        train: Images to train on.
        validation: Images that the search may see, and that no network trains on.
        test: Images for the final figures only.
        num_classes: Number of classes, at least 2; labels run from 0 to `num_classes` - 1.

    Raises:
        DatasetError: The splits' images differ in shape or type, or a label is out of range.

    Example:
        >>> split = Split(np.zeros((5, 8, 8, 1), np.uint8), np.arange(5, dtype=np.int32))
        >>> Dataset("toy", split, split, split, num_classes=5).image_shape
        (8, 8, 1)
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int

    def __post_init__(self) -> None:
        if self.num_classes < 2:
            raise DatasetError(
                f"Data set {self.name!r} has num_classes {self.num_classes}; expected at least 2: give the number of "
                "different labels."
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
        """SHA-256 of the contents, as 64 hexadecimal digits.

        It covers each split's arrays with their shapes and types, and `num_classes`; not the name. Equal fingerprints
        mean equal data.
        """
        digest = hashlib.sha256(f"{self.num_classes} classes".encode())
        for split in self.splits.values():
            for array in (split.images, split.labels):
                digest.update(f"; {array.dtype} {array.shape} ".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _require_images(images: NDArray[Any]) -> None:
    if images.ndim != 4 or 0 in images.shape:
        raise DatasetError(
            f"The images have shape {images.shape}; expected [N, H, W, channels], none of them 0: add a last axis of 1 "
            "to grey images."
        )
    if images.dtype not in (np.uint8, np.float32):
        raise DatasetError(
            f"The images are {images.dtype}; expected uint8 pixels from 0 to 255, or float32 already scaled: convert "
            "them with astype."
        )
    if images.dtype == np.float32 and not np.isfinite(images).all():
        raise DatasetError("The images hold NaN or infinity; expected finite numbers: remove or repair those images.")


def _require_labels(labels: NDArray[Any]) -> None:
    if labels.ndim != 1 or labels.dtype != np.int32:
        raise DatasetError(
            f"The labels are {labels.dtype} of shape {labels.shape}; expected int32 of shape [N], one class number for "
            "each image: convert them with astype, and one-hot labels with argmax."
        )
    if labels.size and labels.min() < 0:
        raise DatasetError(f"The labels hold {labels.min()}; expected 0 or more: number the classes from 0.")


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
