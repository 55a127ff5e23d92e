"""The classes that trained networks predict on the test set: which they confuse, and how sure they are of them."""

from dataclasses import dataclass

import numpy as np

from glojax.evaluation import Evaluation
from glojax.tasks import NUM_BINS, Task

#: Classes above which a confusion matrix is not legible.
_MAX_CLASSES = 100

#: The greatest number of entries of the matrices of a loss; the journal holds one for each training.
_MAX_ENTRIES = 10**6


@dataclass(frozen=True)
class Predictions:
    """The predicted classes of a loss's networks on the test set; each counts each example, by its weight.

    Attributes:
        seeds: The seeds of their trainings.
        confusion: The number of examples of each class, in rows, by the predicted class [C][C].
        bins: In 15 equal bins of confidence, the probability of the predicted class: the number of examples, that of
            those which are right, and the sum of the confidence [3][15].
    """

    seeds: list[int]
    confusion: list[list[float]]
    bins: list[list[float]]

    def __post_init__(self) -> None:
        C = len(self.confusion)
        shapes = [*map(len, self.confusion)], [*map(len, self.bins)]
        if C > _MAX_CLASSES or shapes != ([C] * C, [NUM_BINS] * 3):
            raise ValueError("the predictions are no square matrix of at most 100 classes and 15 bins")

    @property
    def calibration_error(self) -> float:
        """The expected calibration error; 0 without examples.

        Source: Guo et al. (2017), On calibration of modern neural networks, equation 3.
        """
        total = sum(self.bins[0])
        gap = sum(abs(right - confidence) for _, right, confidence in zip(*self.bins, strict=True))
        return gap / total if total else 0.0


def may_count_classes(task: Task, num_outputs: int, num_seeds: int) -> bool:
    """Return whether the predicted classes are counted in a comparison."""
    is_small = num_outputs <= _MAX_CLASSES and num_outputs**2 * num_seeds <= _MAX_ENTRIES
    return task.link == "softmax" and is_small


def predictions(evaluation: Evaluation) -> Predictions | None:
    """Return the counts of the finite trainings at the best learning rate; None where there are none."""
    trials = [one for one in evaluation.trials if one.learning_rate == evaluation.learning_rate and one.finite]
    counted = {one.seed: one.class_counts for one in trials if one.class_counts is not None}
    if not counted:
        return None
    totals = [np.stack(each).sum(axis=0, dtype=np.float64).tolist() for each in zip(*counted.values(), strict=True)]
    confusion, bins = ([[round(number, 4) for number in row] for row in each] for each in totals)
    return Predictions(list(counted), confusion, bins)
