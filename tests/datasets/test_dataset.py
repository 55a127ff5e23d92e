import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glojax.datasets import Dataset, Split
from glojax.errors import DatasetError


def make_split(num: int = 6, dtype: Any = np.uint8, shape: tuple[int, ...] = (4, 5, 1), offset: int = 0) -> Split:
    images = (np.arange(num * np.prod(shape)).reshape(num, *shape) % 7 + offset).astype(dtype)
    return Split(images, np.arange(num, dtype=np.int32) % 3)


def make_dataset(**fields: Any) -> Dataset:
    defaults: dict[str, Any] = {"name": "toy", "num_outputs": 3}
    defaults |= {"train": make_split(6), "validation": make_split(3), "test": make_split(4)}
    return Dataset(**(defaults | fields))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_holds_arrays_and_their_extents(dtype: Any) -> None:
    splits = {name: make_split(num, dtype) for name, num in (("train", 6), ("validation", 3), ("test", 4))}

    dataset = make_dataset(**splits)

    assert dataset.input_shape == (4, 5, 1)
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 6, "validation": 3, "test": 4}
    assert dataset.splits == splits
    assert dataset.train.inputs.dtype == dtype


def test_arrays_are_read_only_and_the_callers_stay_writable() -> None:
    images, labels = np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int32)

    split = Split(images, labels)

    assert np.shares_memory(split.inputs, images)
    for array in (split.inputs, split.targets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    images[0] = 1
    labels[0] = 1


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros(0, np.int32), "inputs have shape (0, 4, 4, 1)"),
        (np.zeros((), np.uint8), np.zeros((), np.int32), "inputs have shape ()"),
        (np.zeros((2, 4, 4, 1)), np.zeros(2, np.int32), "inputs are float64"),
        (np.full((2, 4, 4, 1), np.nan, np.float32), np.zeros(2, np.int32), "NaN or infinity"),
        (np.full((2, 4, 4, 1), -np.inf, np.float32), np.zeros(2, np.int32), "NaN or infinity"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int64), "targets are int64"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.array([0, np.nan], np.float32), "targets hold NaN or infinity"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(3, np.int32), "2 inputs and 3 targets"),
        (np.zeros((2, 4, 4, 1), np.uint8), np.zeros(0, np.int32), "targets have shape (0,)"),
    ],
)
def test_a_split_rejects_what_does_not_fit(images: NDArray[Any], labels: NDArray[Any], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        Split(images, labels)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(2), "weights are float64"),
        (np.ones(3, np.float32), "2 inputs and 3 weights"),
        (np.ones((2, 1), np.float32), "weights have shape (2, 1) and run from 1 to 1; expected [N]"),
        (np.array([1, -1], np.float32), "weights have shape (2,) and run from -1 to 1; expected [N], at least 0"),
        (
            np.zeros(2, np.float32),
            "run from 0 to 0; expected [N], at least 0 and not all 0",
        ),
        (np.array([1, np.inf], np.float32), "weights hold NaN or infinity"),
    ],
)
def test_a_split_rejects_weights_that_do_not_fit(weights: NDArray[Any], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        Split(np.zeros((2, 3), np.float32), np.zeros(2, np.int32), weights)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_outputs": 1}, "'toy' has num_outputs 1; expected at least 2 for classification"),
        ({"task": "ranking"}, "The task is 'ranking'; expected one of classification, multilabel"),
        ({"task": "regression"}, "train split of data set 'toy' has targets of int32 and shape (6,)"),
        ({"num_outputs": 2}, "train split of data set 'toy' holds label 2; expected 0 to 1"),
        ({"validation": make_split(shape=(5, 4, 1))}, "validation inputs of data set 'toy' are uint8 (5, 4, 1)"),
        ({"test": make_split(dtype=np.float32)}, "test inputs of data set 'toy' are float32 (4, 5, 1)"),
    ],
)
def test_a_dataset_rejects_what_does_not_fit(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        make_dataset(**fields)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_equal_contents_have_equal_fingerprints_whatever_the_name_and_the_memory_layout() -> None:
    split = make_split(6)
    images: NDArray[np.uint8] = np.asfortranarray(split.inputs, dtype=np.uint8)
    strided = Split(images, split.targets.repeat(2)[::2])

    fingerprint = make_dataset().fingerprint

    assert len(fingerprint) == 64
    assert set(fingerprint) <= set("0123456789abcdef")
    assert make_dataset(name="other", train=strided).fingerprint == fingerprint
    assert make_dataset(origin="elsewhere", test_split="held-out").fingerprint == fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {"num_outputs": 4},
        {"train": make_split(6, offset=1)},
        {"test": make_split(5)},
        {"train": make_split(3), "validation": make_split(6)},
        {"train": Split(make_split(6).inputs, np.zeros(6, np.int32))},
        {"train": Split(make_split(6).inputs, make_split(6).targets, np.arange(6, dtype=np.float32))},
        {"test": None},
        {name: make_split(num, np.float32) for name, num in (("train", 6), ("validation", 3), ("test", 4))},
        {name: make_split(num, shape=(5, 4, 1)) for name, num in (("train", 6), ("validation", 3), ("test", 4))},
    ],
)
def test_other_contents_have_another_fingerprint(fields: dict[str, Any]) -> None:
    assert make_dataset(**fields).fingerprint != make_dataset().fingerprint


def test_the_fingerprint_is_computed_once() -> None:
    dataset = make_dataset()

    assert dataset.fingerprint is dataset.fingerprint


def test_fields_cannot_be_assigned() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_dataset().name = "other"  # type: ignore[misc]
