"""A data set: examples in memory, in a training, a validation and perhaps a test split."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self, TypeAlias, get_args

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from glojax.datasets.arrays import as_indices, as_inputs, as_weights
from glojax.datasets.split import Split
from glojax.datasets.stratification import class_labels, strata, stratified_indices, validation_indices
from glojax.datasets.targets import (
    TaskName,
    as_targets,
    check_targets,
    count_outputs,
    infer_task,
    require_task,
)
from glojax.datasets.trouble import NoiseKind, imbalanced_indices, noisy_labels
from glojax.errors import DatasetError

#: The test set: the one that the authors of the data set chose, or one held out of their training examples.
TestSplit: TypeAlias = Literal["official", "held-out"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A problem in splits: networks train on `train`, and `validation` measures their fitness.

    The task says what the targets are, and what the outputs of a network:

    | task | targets of a split | outputs |
    |---|---|---|
    | classification | classes from 0, int32 [N], or class probabilities, float32 [N, C] | [N, C] |
    | multilabel | 0 or 1 for each label, int32 [N, C] | [N, C] |
    | regression | numbers, float32 [N, K] | [N, K] |
    | segmentation | classes from 0, int32 [N, H, W], or [N, T] for sequences | [N, H, W, C] |

    Attributes:
        name: Name of the data set, as `load_dataset` takes it if it is in the table of data sets.
        train: Examples to train on.
        validation: Examples that the search uses and that no network trains on.
        test: Examples for the final results only; None without a test set.
        num_outputs: C or K: at least 2 classes, or at least 1 label or number.
        origin: Source of the arrays, in one line: "IDX files in FOLDER", "cache FILE".
        test_split: "official", or "held-out" if the test examples are taken from the official training examples.
        task: What a network learns.
    """

    name: str
    train: Split
    validation: Split
    test: Split | None
    num_outputs: int
    origin: str = "given arrays"
    test_split: TestSplit = "official"
    task: TaskName = "classification"

    @classmethod
    def from_arrays(
        cls,
        name: str,
        inputs: Any,
        targets: ArrayLike,
        *,
        weights: ArrayLike | None = None,
        validation: float | ArrayLike | tuple[Any, ...] = 0.1,
        test: tuple[Any, ...] | None = None,
        task: TaskName | None = None,
    ) -> Self:
        """Make a data set of your own arrays, with as many classes as the largest label plus one.

        Args:
            name: Name of the data set.
            inputs: What a network sees, [N, ...]: uint8 pixels, which stand for pixel / 255, and get a channel axis
                where they are [N, H, W]; other whole numbers, as int32; floats, as float32. Or a dict, tuple or list of
                such arrays, nested at will, which it gets in the same structure; a list of N examples is one array.
            targets: What it learns, [N, ...]: classes from 0 to 65,535 [N], one-hot labels or class probabilities
                [N, C]; 0 or 1 for each label [N, C]; numbers [N] or [N, K]; or a class for each pixel [N, H, W].
            weights: How much each example counts, [N], at least 0. None for all alike.
            validation: The validation split: the fraction of the examples to take, of each class where there are
                classes, above 0 and below 1, which takes the same examples every time; or the indices of the examples
                to take; or a tuple (inputs, targets) or (inputs, targets, weights) of others.
            test: The test split, as such a tuple. None without one.
            task: What the targets are; None tells it from their type, shape and values, where these leave one task.

        Raises:
            DatasetError: The arrays do not fit each other or the task, or could be for two tasks.

        Examples:
            >>> images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 4
            >>> dataset = Dataset.from_arrays("mine", images, labels, validation=0.2, test=(images, labels))
            >>> dataset.task, dataset.num_outputs, [len(split) for split in dataset.splits.values()]
            ('classification', 4, [16, 4, 20])
        """
        task = infer_task(targets) if task is None else require_task(task)
        train = _make_split("training", task, inputs, targets, weights)
        if isinstance(validation, tuple):
            held_out = _make_split("validation", task, *validation)
        else:
            if np.ndim(validation) == 0:
                indices = validation_indices(strata(task, train.targets), validation)
            else:
                indices = as_indices(validation, len(train))
            with _in_split("validation"):
                held_out = train.take(indices)
            with _in_split("training"):
                train = train.take(np.delete(np.arange(len(train)), indices))
        held_back = None if test is None else _make_split("test", task, *test)
        num_outputs = max(count_outputs(task, split.targets) for split in (train, held_out, held_back) if split)
        return cls(name, train, held_out, held_back, num_outputs, task=task)

    def with_train_fraction(self, fraction: float, seed: int) -> Self:
        """Return the same data set with fewer training examples, in the same order, for experiments on small data.

        With the same seed, a smaller fraction keeps a subset of the examples that a larger one keeps.

        Args:
            fraction: The share to keep, of each class where there are classes, above 0 and at most 1. Every class
                keeps at least one example.
            seed: Seed of the choice, at least 0.

        Examples:
            >>> split = Split(np.zeros((20, 8, 8, 1), np.uint8), np.arange(20, dtype=np.int32) % 2)
            >>> dataset = Dataset("toy", split, split, split, num_outputs=2)
            >>> np.bincount(dataset.with_train_fraction(0.3, seed=0).train.targets)
            array([3, 3])
        """
        if not 0 < fraction <= 1:
            raise DatasetError(
                f"The fraction of training examples is {fraction}; expected a number above 0 and at most 1: 1 keeps "
                "all."
            )
        if seed < 0:
            raise DatasetError(
                f"The seed of the choice of training examples is {seed}; expected at least 0: choose another."
            )
        classes = strata(self.task, self.train.targets)
        return replace(self, train=self.train.take(stratified_indices(classes, fraction, seed)))

    def with_imbalance(self, ratio: float, seed: int) -> Self:
        """Return the same data set with classes that have from many to few training examples, in the same order.

        Class k of C keeps about m * ratio^(k / (C - 1)) examples, with the greatest m for which each has enough; at
        least one. With the same seed, a class that keeps fewer keeps some of those that it would keep otherwise.

        Source: Cui et al., Class-Balanced Loss Based on Effective Number of Samples (2019), section 5.1: long-tailed
        CIFAR, whose imbalance factor is 1 / ratio.

        Args:
            ratio: Number of examples of the rarest class, which is the last, over that of the commonest, which is the
                first: above 0 and at most 1.
            seed: Seed of the choice, at least 0.

        Raises:
            DatasetError: A number is out of range, or the targets are not one class for each example.

        Examples:
            >>> split = Split(np.zeros((20, 8, 8, 1), np.uint8), np.arange(20, dtype=np.int32) % 2)
            >>> dataset = Dataset("toy", split, split, split, num_outputs=2)
            >>> np.bincount(dataset.with_imbalance(0.2, seed=0).train.targets)
            array([10,  2])
        """
        if not 0 < ratio <= 1:
            raise DatasetError(
                f"The imbalance is {ratio}; expected the ratio of the rarest to the commonest class, above 0 and at "
                "most 1: 1 changes nothing."
            )
        labels = self._labels_to_change("imbalance", seed)
        train = self.train.take(imbalanced_indices(labels, self.num_outputs, ratio, seed))
        return replace(self, train=train, origin=f"{self.origin}; training classes in the ratio 1 to {ratio:g}")

    def with_label_noise(self, share: float, seed: int, kind: NoiseKind = "symmetric") -> Self:
        """Return the same data set with wrong labels among the training examples; the other splits stay right.

        With the same seed, a smaller share makes some of the same labels wrong, in the same way.

        Source: Han et al., Co-teaching (2018), section 4: symmetric and pair flipping. There each label is wrong with
        the probability `share`; here exactly this share is. A wrong label is never the right one, other than in work
        that draws it from all classes.

        Args:
            share: Share of the training labels that become wrong, from 0 to 1; rounded to whole labels.
            seed: Seed of the choice, at least 0.
            kind: "symmetric" for any other class, each as likely; "pair" for the next class, and the first after the
                last.

        Raises:
            DatasetError: A number is out of range, or the targets are not one class for each example.

        Examples:
            >>> split = Split(np.zeros((20, 8, 8, 1), np.uint8), np.arange(20, dtype=np.int32) % 2)
            >>> dataset = Dataset("toy", split, split, split, num_outputs=2)
            >>> int((dataset.with_label_noise(0.4, seed=0).train.targets != split.targets).sum())
            8
        """
        if not 0 <= share <= 1:
            raise DatasetError(f"The label noise is {share}; expected a share of the labels, from 0 to 1: 0 adds none.")
        if kind not in get_args(NoiseKind):
            raise DatasetError(f"The noise kind is {kind!r}; expected one of {', '.join(get_args(NoiseKind))}.")
        labels = noisy_labels(self._labels_to_change("label noise", seed), self.num_outputs, share, kind, seed)
        targets = labels if self.train.targets.ndim == 1 else np.eye(self.num_outputs, dtype=np.float32)[labels]
        origin = f"{self.origin}; {100 * share:g} % of the training labels wrong ({kind})"
        return replace(self, train=replace(self.train, targets=targets), origin=origin)

    def _labels_to_change(self, what: str, seed: int) -> NDArray[np.int32]:
        """Return the training labels, or raise DatasetError where there are none, or the seed is negative."""
        labels = class_labels(self.task, self.train.targets)
        if labels is None:
            raise DatasetError(
                f"Data set {self.name!r} was given {what}, and its targets are for {self.task}, "
                f"{self.train.targets.dtype} of shape {self.train.targets.shape}; expected one class for each example, "
                f"by its number or one-hot: leave the {what} out."
            )
        if seed < 0:
            raise DatasetError(f"The seed of the {what} is {seed}; expected at least 0: choose another.")
        return labels

    def __post_init__(self) -> None:
        least = 2 if require_task(self.task) in ("classification", "segmentation") else 1
        if self.num_outputs < least:
            raise DatasetError(
                f"Data set {self.name!r} has num_outputs {self.num_outputs}; expected at least {least} for "
                f"{self.task}: check the targets."
            )
        for split_name, split in self.splits.items():
            found, expected = (
                jax.tree.map(lambda leaf: f"{leaf.dtype} {leaf.shape[1:]}", each.inputs) for each in (split, self.train)
            )
            if found != expected:
                raise DatasetError(
                    f"The {split_name} inputs of data set {self.name!r} are {found}; expected {expected} as in "
                    "training: prepare all splits alike."
                )
            check_targets(self.task, split.targets, self.num_outputs, f"{split_name} split of data set {self.name!r}")

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that there are by name, in the order train, validation, test."""
        splits = {"train": self.train, "validation": self.validation}
        return splits if self.test is None else splits | {"test": self.test}

    @property
    def input_shape(self) -> Any:
        """The shape of one input, as height and width in pixels and channels of an image; or a pytree of shapes."""
        return jax.tree.map(lambda leaf: leaf.shape[1:], self.train.inputs)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of task, number of outputs, and arrays with their shapes and types, in hexadecimal digits."""
        digest = hashlib.sha256(f"{self.task} with {self.num_outputs} outputs".encode())
        for split_name, split in self.splits.items():
            for name, array in split.arrays.items():
                digest.update(f"; {split_name} {name} {array.dtype} {array.shape} ".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _make_split(which: str, task: TaskName, *arrays: Any) -> Split:
    if len(arrays) not in (2, 3):
        raise DatasetError(
            f"The {which} set has {len(arrays)} parts; expected (inputs, targets) or (inputs, targets, weights): give "
            "a tuple of them, or for indices of validation examples a list or an array."
        )
    inputs, targets, weights = (*arrays, None)[:3]
    targets = as_targets(targets, task, which)
    inputs = as_inputs(inputs, len(targets) if targets.ndim else 0, which)
    with _in_split(which):
        return Split(inputs, targets, None if weights is None else as_weights(weights, which))


@contextmanager
def _in_split(which: str) -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        raise DatasetError(f"In the {which} split: {error}") from error
