from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from glojax.datasets import Dataset
from glojax.errors import DatasetError

#: Sixty images of 4 x 5 that their first pixel tells apart.
IMAGES = np.repeat(np.arange(60, dtype=np.uint8), 20).reshape(60, 4, 5)
LABELS = np.arange(60) % 3


def make(**arguments: Any) -> Dataset:
    defaults: dict[str, Any] = {"inputs": IMAGES, "targets": LABELS, "validation": 0.1}
    defaults |= {"test": (IMAGES[:7], LABELS[:7])}
    return Dataset.from_arrays("mine", **(defaults | arguments))


def numbers(images: NDArray[Any]) -> list[int]:
    return [int(image[0, 0, 0]) for image in images]


def assert_rejected(message: str, **arguments: Any) -> None:
    with pytest.raises(DatasetError) as caught:
        make(**arguments)

    assert message in str(caught.value)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fraction_takes_as_much_of_each_class() -> None:
    dataset = make(validation=0.2)

    assert (dataset.name, dataset.num_outputs, dataset.input_shape) == ("mine", 3, (4, 5, 1))
    assert (dataset.origin, dataset.test_split) == ("given arrays", "official")
    assert [np.bincount(split.targets.astype(int)).tolist() for split in dataset.splits.values()] == [
        [16] * 3,
        [4] * 3,
        [3, 2, 2],
    ]
    assert make(validation=0.2).fingerprint == dataset.fingerprint


@given(st.lists(st.integers(0, 3), min_size=20, max_size=200), st.floats(0.05, 0.95))
def test_training_and_validation_part_the_images(labels: list[int], fraction: float) -> None:
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1)
    try:
        dataset = Dataset.from_arrays("mine", images, labels, validation=fraction, test=(images, [*labels[1:], 3]))
    except DatasetError as error:
        assert "leaves no example" in str(error)  # noqa: PT017 - only where rounding leaves nothing to validate on
        return

    train, validation = dataset.train, dataset.validation
    assert sorted(numbers(train.inputs) + numbers(validation.inputs)) == list(range(len(labels)))
    assert all(labels[number] == label for number, label in zip(numbers(train.inputs), train.targets, strict=True))
    assert set(train.targets.tolist()) == set(labels)


def test_indices_choose_the_validation_images_in_their_order() -> None:
    for indices in ([5, 0, 59], np.array([5, 0, 59], np.uint8)):
        dataset = make(validation=indices)

        assert numbers(dataset.validation.inputs) == [5, 0, 59]
        assert dataset.validation.targets.tolist() == [2, 0, 2]
        assert numbers(dataset.train.inputs) == [number for number in range(60) if number not in (0, 5, 59)]


def test_a_tuple_is_the_validation_set() -> None:
    dataset = make(validation=(IMAGES[:2], [7, 0]))

    assert numbers(dataset.validation.inputs) == [0, 1]
    assert len(dataset.train) == 60
    assert dataset.num_outputs == 8


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integer_type_become_int32(dtype: Any) -> None:
    dataset = make(targets=LABELS.astype(dtype), test=(IMAGES[:7], LABELS[:7, np.newaxis].astype(dtype)))

    assert {split.targets.dtype for split in dataset.splits.values()} == {np.dtype(np.int32)}
    assert dataset.fingerprint == make().fingerprint


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_float32(dtype: Any) -> None:
    given = (IMAGES / 7 - 3).astype(dtype)

    dataset = make(inputs=given, validation=[3], test=None)

    assert dataset.train.inputs.dtype == np.float32
    assert dataset.input_shape == (4, 5)
    np.testing.assert_array_equal(dataset.validation.inputs, given[3:4].astype(np.float32))


def test_coloured_images_keep_their_channels() -> None:
    coloured = np.zeros((60, 4, 5, 3), np.uint8)

    assert make(inputs=coloured, test=None).input_shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.astype(np.int64) * 2**31, f"The training inputs run from 0 to {59 * 2**31}; expected whole numbers"),
        (IMAGES.astype(str), "The training inputs are <U3"),
        (IMAGES.astype(np.complex64), "The training inputs are complex64"),
        (np.where(IMAGES == 7, np.nan, 0), "In the training split: The inputs hold NaN or infinity"),
        (IMAGES * 1e300, "In the training split: The inputs hold NaN or infinity"),
        (np.ma.masked_equal(IMAGES, 7), "The training inputs have masked values; expected an array without"),
        (IMAGES[:59], "In the training split: Got 59 inputs and 60 targets"),
        (IMAGES[:0], "In the training split: The inputs have shape (0, 4, 5, 1)"),
        (3, "In the training split: The inputs have shape ()"),
        ([[[1]], [[1, 2]]], "The training inputs make no array"),
    ],
)
def test_rejects_inputs_that_do_not_fit(images: Any, message: str) -> None:
    assert_rejected(message, inputs=images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS / 2, "The training targets are float64 of shape (60,), not all of them whole"),
        (LABELS * np.nan, "The training targets are float64 of shape (60,), not all of them whole"),
        (
            LABELS.astype(str),
            "The training targets are <U21 of shape (60,); expected classes numbered from 0, of shape",
        ),
        (LABELS.astype(str), "number them, perhaps with numpy.unique"),
        (np.eye(3)[LABELS] - 0.1, "train split of data set 'mine' has targets of float32 and shape (54, 3)"),
        (
            IMAGES,
            "shape (54, 4, 5), from 0 to 59, which do not fit classification with 60 outputs",
        ),
        (LABELS - 1, "The training targets run from -1 to 1"),
        (
            LABELS * 2**15,
            "The training targets run from 0 to 65536; expected classes numbered from 0, to 65535 at most: renumber",
        ),
        (LABELS * 2**31, f"The training targets run from 0 to {2**32}"),
        (LABELS.astype(np.uint64) * 2**63, f"The training targets run from 0 to {2**63}"),
        (LABELS[:0], "In the training split: The targets have shape (0,)"),
        (np.zeros(60, np.int32), "num_outputs 1"),
    ],
)
def test_rejects_labels_that_do_not_fit(labels: Any, message: str) -> None:
    assert_rejected(message, targets=labels, test=None, task="classification")


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (0, "The validation set is 0; expected a fraction"),
        (1, "The validation set is 1; expected a fraction"),
        (1.0, "The validation set is 1.0; expected a fraction"),
        (-0.1, "The validation set is -0.1"),
        (float("nan"), "The validation set is nan"),
        (True, "The validation set is True"),
        ("0.1", "The validation set is '0.1'"),
        (None, "The validation set is None"),
        (0.01, "0.01 of 60 training examples, taken from each class and rounded, leaves no example"),
        ([], "The validation indices are float64 of shape (0,)"),
        (np.array([], int), "name 0 of 60 training examples"),
        (range(60), "name 60 of 60 training examples"),
        ([60], "run from 60 to 60"),
        ([-1], "run from -1 to -1"),
        ([3, 4, 3], "name an example more than once"),
        ([[3]], "int64 of shape (1, 1)"),
        ([0.5], "float64 of shape (1,)"),
        ((IMAGES,), "The validation set has 1 parts; expected (inputs, targets)"),
        ((3, 4, 5, 6), "has 4 parts; expected (inputs, targets) or (inputs, targets, weights)"),
        ((IMAGES, LABELS[:59]), "60 inputs and 59 targets"),
        ((IMAGES / 10, LABELS), "validation inputs of data set 'mine' are float32 (4, 5)"),
        ((IMAGES[:, :3], LABELS), "validation inputs of data set 'mine' are uint8 (3, 5, 1)"),
    ],
)
def test_rejects_a_validation_set_that_does_not_fit(validation: Any, message: str) -> None:
    assert_rejected(message, validation=validation)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.arange(60) < 50, "In the validation split: The weights have shape (6,) and run from 0 to 0"),
        (np.arange(60) >= 50, "In the training split: The weights have shape (50,) and run from 0 to 0"),
        (np.full(60, 1e300), "In the training split: The weights hold NaN or infinity"),
    ],
)
def test_weights_that_leave_a_split_without_any_are_refused_by_its_name(weights: Any, message: str) -> None:
    validation = range(54, 60) if "(6,)" in message else range(50, 60)

    assert_rejected(message, weights=weights, validation=validation)


def test_fewer_training_examples_and_the_same_others() -> None:
    dataset = make()

    fewer = dataset.with_train_fraction(0.5, seed=1)

    assert np.bincount(fewer.train.targets.astype(int)).tolist() == [9, 9, 9]
    assert (fewer.validation, fewer.test, fewer.num_outputs) == (dataset.validation, dataset.test, 3)
    assert set(numbers(fewer.train.inputs)) < set(numbers(dataset.train.inputs))
    assert fewer.fingerprint == dataset.with_train_fraction(0.5, seed=1).fingerprint
    assert fewer.fingerprint != dataset.with_train_fraction(0.5, seed=2).fingerprint
    assert dataset.with_train_fraction(1, seed=1).fingerprint == dataset.fingerprint
    assert len(dataset.with_train_fraction(1e-9, seed=1).train) == 3


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, float("nan"), float("inf")])
def test_rejects_a_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(DatasetError, match=f"fraction of training examples is {fraction}; expected"):
        make().with_train_fraction(fraction, seed=0)


def test_rejects_a_negative_seed() -> None:
    with pytest.raises(DatasetError, match="seed of the choice of training examples is -1; expected"):
        make().with_train_fraction(0.5, seed=-1)
