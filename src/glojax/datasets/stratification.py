"""The class of each example, and choices of the same share of every class."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.targets import Targets, TaskName
from glojax.errors import DatasetError

#: Seed of the choice of validation examples, the same for every run, whatever its own seed.
_VALIDATION_SEED: Final = 0


def strata(task: TaskName, targets: Targets) -> NDArray[Any]:
    """Return the class [N] of each example, of which every split gets its share; all 0 where there are no classes."""
    if task != "classification" or targets.ndim > 2:
        return np.zeros(len(targets), np.int32)
    return targets if targets.ndim == 1 else targets.argmax(axis=1)


def class_labels(task: TaskName, targets: Targets) -> NDArray[np.int32] | None:
    """Return the class [N] of each example, given by its number or one-hot; None where examples have no such class."""
    if task != "classification" or not (targets.ndim == 1 or np.isin(targets, (0, 1)).all()):
        return None
    return strata(task, targets).astype(np.int32, copy=False)


def stratified_indices(classes: NDArray[Any], fraction: float, seed: int) -> NDArray[np.intp]:
    """Choose max(1, round(fraction * n)) of the n examples of each class at random; return their indices, ascending.

    With the same classes and seed, a smaller fraction chooses a subset of the examples that a larger one chooses.
    """
    order = np.random.default_rng(seed).permutation(len(classes))
    members = [order[classes[order] == each] for each in np.unique(classes)]
    return np.sort(np.concatenate([indices[: max(1, round(fraction * len(indices)))] for indices in members]))


def validation_indices(classes: NDArray[Any], fraction: Any) -> NDArray[np.intp]:
    """Choose a fraction of each class to validate; return the indices. Every class keeps an example to train on."""
    if isinstance(fraction, bool) or not isinstance(fraction, int | float | np.number) or not 0 < fraction < 1:
        raise DatasetError(
            f"The validation set is {fraction!r}; expected a fraction of the training examples above 0 and below 1, "
            "their indices, or a tuple (inputs, targets): 0.1 takes a tenth."
        )
    kept = stratified_indices(classes, 1 - float(fraction), _VALIDATION_SEED)
    if len(kept) == len(classes):
        raise DatasetError(
            f"The validation fraction {fraction} of {len(classes)} training examples, taken from each class and "
            "rounded, leaves no example; expected at least one: raise the fraction."
        )
    return np.delete(np.arange(len(classes)), kept)
