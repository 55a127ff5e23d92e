"""Conversion of a user's images, labels and indices to the types of a split."""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.datasets.reading import explained
from glojax.errors import DatasetError

Images: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]

#: A larger label makes the network's last layer useless, and is probably no class.
_LARGEST_LABEL: Final = 2**16 - 1


def as_images(images: ArrayLike, which: str) -> Images:
    """Convert images [N, H, W] or [N, H, W, channels] of the `which` split to uint8 or float32 with a channel axis."""
    array = _as_array(images, f"{which} images")
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise DatasetError(
            f"The {which} images are {array.dtype}; expected uint8 pixels from 0 to 255, or floats from 0 to 1: "
            "convert them with astype."
        )
    if array.size and np.isnan(array.min()):
        raise DatasetError(f"The {which} images hold NaN; expected floats from 0 to 1: remove or repair those images.")
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise DatasetError(
            f"The {which} images hold numbers from {array.min():g} to {array.max():g}; expected floats from 0 to 1: "
            "scale them, pixels by 1 / 255, or give pixels as uint8."
        )
    return array.astype(np.float32, copy=False)


def as_labels(labels: ArrayLike, which: str) -> NDArray[np.int32]:
    """Convert whole numbers from 0 to 65,535, [N] or [N, 1], the labels of the `which` split, to int32 [N]."""
    array = _as_array(labels, f"{which} labels")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if not np.issubdtype(array.dtype, np.integer) or array.ndim != 1:
        raise DatasetError(
            f"The {which} labels are {array.dtype} of shape {array.shape}; expected whole numbers of shape [N], the "
            "class of each image: convert them with astype, and one-hot labels with argmax."
        )
    if array.size and not 0 <= array.min() <= array.max() <= _LARGEST_LABEL:
        raise DatasetError(
            f"The {which} labels run from {array.min()} to {array.max()}; expected classes numbered from 0, to "
            f"{_LARGEST_LABEL} at most: renumber them, perhaps with numpy.unique(..., return_inverse=True)."
        )
    return array.astype(np.int32, copy=False)


def as_indices(indices: ArrayLike, num_images: int) -> NDArray[np.intp]:
    """Convert the indices of the validation images among `num_images` training images to an array [M]."""
    array = _as_array(indices, "validation indices")
    expected = f"expected different whole numbers from 0 to {num_images - 1}, the indices of some training images"
    if not np.issubdtype(array.dtype, np.integer) or array.ndim != 1:
        raise DatasetError(
            f"The validation indices are {array.dtype} of shape {array.shape}; {expected}: give a fraction, indices, "
            "or a tuple (images, labels)."
        )
    if array.size and not 0 <= array.min() <= array.max() < num_images:
        raise DatasetError(
            f"The validation indices run from {array.min()} to {array.max()}; {expected}: correct those out of range."
        )
    if len(np.unique(array)) < len(array):
        raise DatasetError(f"The validation indices name an image more than once; {expected}: drop the repeated ones.")
    if not 0 < len(array) < num_images:
        raise DatasetError(
            f"The validation indices name {len(array)} of {num_images} training images; {expected}: leave some images "
            "for each of training and validation."
        )
    return array.astype(np.intp, copy=False)


def _as_array(values: ArrayLike, what: str) -> NDArray[Any]:
    with explained(ValueError, f"The {what} make no array", "equal shapes: give an array"):  # lists of unequal lengths
        return np.asarray(values)
