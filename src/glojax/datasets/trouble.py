"""Wrong labels and rare classes, put into training data on purpose: choices that a seed decides.

The draws of both are independent of each other, and of those of `stratified_indices`.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

#: How a label becomes wrong: by any other class, each as likely; or by the next class, and the last by the first.
NoiseKind: TypeAlias = Literal["symmetric", "pair"]

_IMBALANCE, _NOISE, _SHIFT = 1, 2, 3  # what a seed is used for


def noisy_labels(
    labels: NDArray[np.int32], num_classes: int, share: float, kind: NoiseKind, seed: int
) -> NDArray[np.int32]:
    """Return a copy of the labels [N], round(share * N) of which are wrong, chosen at random.

    With the same seed, a smaller share makes some of the same labels wrong, in the same way.
    """
    chosen = np.random.default_rng((seed, _NOISE)).permutation(len(labels))[: round(share * len(labels))]
    shifts = np.ones(len(labels), np.int32)
    if kind == "symmetric":
        shifts = np.random.default_rng((seed, _SHIFT)).integers(1, num_classes, len(labels), dtype=np.int32)
    noisy = labels.copy()
    noisy[chosen] = (labels[chosen] + shifts[chosen]) % num_classes
    return noisy


def imbalanced_indices(labels: NDArray[np.int32], num_classes: int, ratio: float, seed: int) -> NDArray[np.intp]:
    """Choose about m * ratio^(k / (C - 1)) of the images of each class k at random; return their indices, ascending.

    m is the greatest number for which every class has enough. With the same seed, a class that keeps fewer images keeps
    some of those that it would keep otherwise.
    """
    profile = ratio ** (np.arange(num_classes) / (num_classes - 1))
    counts = np.bincount(labels, minlength=num_classes)
    present = counts > 0
    largest = (counts[present] / profile[present]).min()
    order = np.random.default_rng((seed, _IMBALANCE)).permutation(len(labels))
    kept = [
        order[labels[order] == label][: max(1, round(largest * profile[label]))] for label in np.flatnonzero(present)
    ]
    return np.sort(np.concatenate(kept))
