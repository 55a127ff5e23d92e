"""Stratified random choice of images: the same share of every class."""

import numpy as np
from numpy.typing import NDArray


def stratified_indices(labels: NDArray[np.int32], fraction: float, seed: int) -> NDArray[np.intp]:
    """Choose `fraction` of each class at random, at least one image of each.

    With the same labels and seed, a smaller fraction chooses a subset of the images that a larger one chooses.

    Args:
        labels: Class of each image [N].
        fraction: Share to choose, above 0 and at most 1.
        seed: Seed of the choice, at least 0.

    Returns:
        Indices of the chosen images, ascending: max(1, round(fraction * n)) for each class of n images.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1, 2], np.int32)
        >>> labels[stratified_indices(labels, 0.5, seed=0)].tolist()
        [0, 0, 1, 2]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    classes = [order[labels[order] == label] for label in np.unique(labels)]
    return np.sort(np.concatenate([indices[: max(1, round(fraction * len(indices)))] for indices in classes]))
