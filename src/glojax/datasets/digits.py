"""Digits: 1,797 handwritten digits of 8 x 8 pixels, which scikit-learn includes."""

from typing import Any

import numpy as np

from glojax.datasets.dataset import Dataset, Split

#: Number of images in each of the validation and the test split, a fifth of all images.
_NUM_HELD_OUT = 360

#: Seed of the split, the same for every run, whatever its own seed.
_SPLIT_SEED = 0


def load_digits() -> Dataset:
    """Load the digits: 1,077 training, 360 validation and 360 test images.

    The split is the same in every run, and stratified: every split has the same shares of the classes, to one image.

    Returns:
        Images [N, 8, 8, 1], float32 in [0, 1]: the original counts 0 to 16, over 16. Ten classes.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), test part, from
    `sklearn.datasets.load_digits`. The split is ours.

    Example:
        >>> digits = load_digits()
        >>> [len(split) for split in digits.splits.values()]
        [1077, 360, 360]
    """
    # The import takes a second, and other data sets do not need it.
    from sklearn import __version__ as sklearn_version
    from sklearn.datasets import load_digits as load_sklearn_digits
    from sklearn.model_selection import train_test_split

    source = load_sklearn_digits()
    images = (source.images[..., np.newaxis] / 16).astype(np.float32)
    labels = source.target.astype(np.int32)

    def hold_out(indices: Any) -> Any:
        return train_test_split(indices, test_size=_NUM_HELD_OUT, stratify=labels[indices], random_state=_SPLIT_SEED)

    rest, test = hold_out(np.arange(len(labels)))
    train, validation = hold_out(rest)
    train, validation, test = (Split(images[indices], labels[indices]) for indices in (train, validation, test))
    return Dataset("digits", train, validation, test, num_classes=10, origin=f"scikit-learn {sklearn_version}")
