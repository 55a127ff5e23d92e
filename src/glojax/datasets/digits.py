"""Digits: 1,797 handwritten digits of 8 x 8 pixels, which scikit-learn includes."""

from typing import Any

import numpy as np

from glojax.datasets.dataset import Dataset, Split

#: Number of images in each of the validation and the test split, and the seed of their choice in every run.
_NUM_HELD_OUT, _SPLIT_SEED = 360, 0


def load_digits() -> Dataset:
    """Load 1,077 training, 360 validation and 360 test images [N, 8, 8, 1] in [0, 1]: the counts 0 to 16, over 16.

    The split is ours, and stratified: every split has the same shares of the ten classes, to one image.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), test part, from scikit-learn.
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
    train, validation, test = (Split(images[indices], labels[indices]) for indices in (*hold_out(rest), test))
    return Dataset("digits", train, validation, test, num_classes=10, origin=f"scikit-learn {sklearn_version}")
