"""From the arrays of a user's files to a data set: what is easily mistaken is put right, with a warning."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.dataset import Dataset, TestSplit
from glojax.datasets.split import Split
from glojax.datasets.stratification import strata, stratified_indices
from glojax.datasets.targets import TaskName, as_targets, infer_task
from glojax.errors import DatasetError

_LOGGER = logging.getLogger(__name__)

_CHANNELS = (1, 3, 4)

#: Whole numbers up to this one may be counts or kinds of pieces; where there are larger ones, they are pixels.
_LARGEST_COUNT = 127

#: Share of the training examples that validates where neither the files nor the user say which.
_VALIDATION_FRACTION = 0.1

#: Share of the examples that a held-out test split takes, and the seed of its choice, the same for every run.
_TEST_FRACTION, _TEST_SEED = 0.2, 1


class Examples(NamedTuple):
    """The arrays of a split."""

    inputs: NDArray[Any]
    targets: NDArray[Any]
    weights: NDArray[Any] | None = None

    def take(self, indices: NDArray[np.intp]) -> "Examples":
        """Return the examples at the indices."""
        weights = None if self.weights is None else self.weights[indices]
        return Examples(self.inputs[indices], self.targets[indices], weights)


@dataclass(frozen=True, eq=False)
class GivenArrays:
    """What a reader found in a user's files.

    `validation` holds indices of training examples, or examples of its own. `unscaled` marks the columns of inputs
    [N, F] that are to be standardised. `task` is None where `Dataset.from_arrays` shall tell it from the targets.
    `class_names` holds what the user calls the classes; empty if that is their number.
    """

    origin: str
    train: Examples
    test: Examples | None = None
    validation: Examples | NDArray[Any] | None = None
    task: TaskName | None = None
    unscaled: NDArray[np.bool_] | None = None
    class_names: Sequence[str] = ()


def make_dataset(
    name: str, where: str, given: GivenArrays, validation_fraction: float | None, test_split: TestSplit
) -> Dataset:
    """Make the data set of the arrays that were read from `where`."""
    if given.validation is not None and validation_fraction is not None:
        raise DatasetError(
            f"{where} has a validation split of its own, and the validation fraction {validation_fraction} was given; "
            "expected one of them: leave --validation-fraction out."
        )
    if test_split == "held-out" and (given.test is not None or isinstance(given.validation, np.ndarray)):
        found = "a test split" if given.test is not None else "indices of validation examples"
        raise DatasetError(
            f"{where} has {found} of its own, and the test split 'held-out' was given; expected 'official': leave "
            "--test-split out."
        )
    splits = {"train": given.train} | ({} if given.test is None else {"test": given.test})
    if isinstance(given.validation, tuple):
        splits["validation"] = given.validation
    try:
        splits = _with_repaired_inputs(splits, where)
        if given.task in (None, "classification") and all(_is_labels(each.targets) for each in splits.values()):
            splits = _with_repaired_labels(splits, where, given.class_names)
        if test_split == "held-out":
            splits |= _held_out(splits["train"], given.task)
        validation: Any = splits.get("validation", given.validation)
        if validation is None:
            validation = _VALIDATION_FRACTION if validation_fraction is None else validation_fraction
        inputs, targets, weights = splits["train"]
        dataset = Dataset.from_arrays(
            name,
            inputs,
            targets,
            weights=weights,
            validation=validation,
            test=splits.get("test"),
            task=given.task,
        )
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from error
    if given.unscaled is not None:
        dataset = _standardised(dataset, given.unscaled)
    return replace(dataset, origin=given.origin, test_split=test_split)


def _with_repaired_inputs(splits: Mapping[str, Examples], where: str) -> dict[str, Examples]:
    """Return the splits with images that have their channels last, and pixels as uint8."""
    inputs = {split: each.inputs for split, each in splits.items()}
    if all(_is_channels_first(each.shape) for each in inputs.values()):
        _LOGGER.warning("%s: the images have their channels first; they were moved last.", where)
        inputs = {split: np.moveaxis(each, 1, -1) for split, each in inputs.items()}
    if all(map(_is_unmarked_pixels, inputs.values())) and max(map(np.max, inputs.values())) > _LARGEST_COUNT:
        _LOGGER.warning("%s: the images are whole numbers from 0 to 255; they were taken for pixels.", where)
        inputs = {split: each.astype(np.uint8) for split, each in inputs.items()}
    return {split: each._replace(inputs=inputs[split]) for split, each in splits.items()}


def _with_repaired_labels(
    splits: Mapping[str, Examples], where: str, class_names: Sequence[str]
) -> dict[str, Examples]:
    """Return the splits with labels from 0, and warn of a label that the test split alone holds."""
    labels = {split: each.targets for split, each in splits.items()}
    first = min(int(each.min()) for each in labels.values())
    if first == 1:
        last = max(int(each.max()) for each in labels.values())
        _LOGGER.warning("%s: the labels run from 1 to %s; they were renumbered from 0.", where, last)
        labels = {split: each.astype(np.int64) - 1 for split, each in labels.items()}
    unknown = np.setdiff1d(labels.get("test", labels["train"]), labels["train"])
    if first >= 0 and len(unknown):
        # Nothing can put that right. It counts as a class, so that the accuracy is as low as it would be in use.
        _LOGGER.warning(
            "%s: no training example has the label %s of the test split, which no network can learn.",
            where,
            class_names[unknown[0]] if class_names else unknown[0] + (first == 1),
        )
    return {split: each._replace(targets=labels[split]) for split, each in splits.items()}


def _held_out(train: Examples, task: TaskName | None) -> dict[str, Examples]:
    """Return a training and a test split, with the same shares of the classes where there are classes."""
    sizes = {name: np.shape(array)[:1] for name, array in train._asdict().items() if array is not None}
    if () in sizes.values() or len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} of shape {np.shape(getattr(train, name))}" for name in sizes)
        raise DatasetError(f"The training set has {found}; expected as many of each: check that they belong together.")
    task = task or infer_task(train.targets)
    kept = stratified_indices(strata(task, as_targets(train.targets, task, "training")), 1 - _TEST_FRACTION, _TEST_SEED)
    return {"train": train.take(kept), "test": train.take(np.delete(np.arange(len(train.targets)), kept))}


def _is_channels_first(shape: tuple[int, ...]) -> bool:
    """Return whether a shape is that of images [N, C, H, W]."""
    return len(shape) == 4 and shape[1] in _CHANNELS and min(shape[2:]) > max(_CHANNELS)


def _is_unmarked_pixels(array: NDArray[Any]) -> bool:
    """Return whether images [N, H, W, C] or [N, H, W] hold whole numbers from 0 to 255 of another type than uint8."""
    is_images = array.ndim == 4 or (array.ndim == 3 and min(array.shape[1:]) > max(_CHANNELS))
    if not is_images or array.dtype.kind not in "iuf" or array.dtype == np.uint8 or not array.size:
        return False
    return bool(array.min() >= 0 and array.max() <= 255 and (array == np.round(array)).all())


def _is_labels(targets: NDArray[Any]) -> bool:
    return targets.dtype.kind in "iu" and targets.size > 0 and (targets.ndim == 1 or targets.shape[1:] == (1,))


def _standardised(dataset: Dataset, columns: NDArray[np.bool_]) -> Dataset:
    """Return the data set with columns of mean 0 and deviation 1 over its training examples."""
    train = dataset.train.inputs.astype(np.float64)
    mean = np.where(columns, train.mean(axis=0), 0)
    deviation = train.std(axis=0)
    deviation = np.where(columns & (deviation > 0), deviation, 1)

    def scaled(split: Split) -> Split:
        return replace(split, inputs=((split.inputs - mean) / deviation).astype(np.float32))

    test = None if dataset.test is None else scaled(dataset.test)
    return replace(dataset, train=scaled(dataset.train), validation=scaled(dataset.validation), test=test)
