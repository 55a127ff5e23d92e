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
    defaults: dict[str, Any] = {"train_images": IMAGES, "train_labels": LABELS, "validation": 0.1}
    defaults |= {"test_images": IMAGES[:7], "test_labels": LABELS[:7]}
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

    assert (dataset.name, dataset.num_classes, dataset.image_shape) == ("mine", 3, (4, 5, 1))
    assert (dataset.origin, dataset.test_split) == ("given arrays", "official")
    assert [np.bincount(split.labels).tolist() for split in dataset.splits.values()] == [[16] * 3, [4] * 3, [3, 2, 2]]
    assert make(validation=0.2).fingerprint == dataset.fingerprint


@given(st.lists(st.integers(0, 3), min_size=20, max_size=200), st.floats(0.05, 0.95))
def test_training_and_validation_part_the_images(labels: list[int], fraction: float) -> None:
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1)
    try:
        dataset = Dataset.from_arrays("mine", images, labels, images, [*labels[1:], 3], validation=fraction)
    except DatasetError as error:
        assert "leaves no image" in str(error)  # noqa: PT017 - only where rounding leaves nothing to validate on
        return

    train, validation = dataset.train, dataset.validation
    assert sorted(numbers(train.images) + numbers(validation.images)) == list(range(len(labels)))
    assert all(labels[number] == label for number, label in zip(numbers(train.images), train.labels, strict=True))
    assert set(train.labels.tolist()) == set(labels)


def test_indices_choose_the_validation_images_in_their_order() -> None:
    for indices in ([5, 0, 59], np.array([5, 0, 59], np.uint8)):
        dataset = make(validation=indices)

        assert numbers(dataset.validation.images) == [5, 0, 59]
        assert dataset.validation.labels.tolist() == [2, 0, 2]
        assert numbers(dataset.train.images) == [number for number in range(60) if number not in (0, 5, 59)]


def test_a_tuple_is_the_validation_set() -> None:
    dataset = make(validation=(IMAGES[:2], [7, 0]))

    assert numbers(dataset.validation.images) == [0, 1]
    assert len(dataset.train) == 60
    assert dataset.num_classes == 8


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integer_type_become_int32(dtype: Any) -> None:
    dataset = make(train_labels=LABELS.astype(dtype), test_labels=LABELS[:7, np.newaxis].astype(dtype))

    assert {split.labels.dtype for split in dataset.splits.values()} == {np.dtype(np.int32)}
    assert dataset.fingerprint == make().fingerprint


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_float32(dtype: Any) -> None:
    scaled = (IMAGES / 255).astype(dtype)

    dataset = make(train_images=scaled, test_images=scaled[:7, ..., np.newaxis])

    assert dataset.train.images.dtype == np.float32
    np.testing.assert_array_equal(dataset.test.images[..., 0], scaled[:7].astype(np.float32))


def test_coloured_images_keep_their_channels() -> None:
    coloured = np.zeros((60, 4, 5, 3), np.uint8)

    assert make(train_images=coloured, test_images=coloured[:7]).image_shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.astype(np.int64), "The training images are int64"),
        (IMAGES > 3, "The training images are bool"),
        (IMAGES.astype(np.float32), "The training images hold numbers from 0 to 59; expected floats from 0 to 1"),
        (IMAGES / 255 - 0.5, "The training images hold numbers from -0.5 to -0.268627"),
        (
            np.where(IMAGES == 7, np.nan, 0),
            "The training images hold NaN; expected floats from 0 to 1: remove or repair",
        ),
        (IMAGES[:, 0, 0], "images have shape (60,)"),
        (IMAGES[:59], "In the training split: Got 59 images and 60 labels"),
        (IMAGES[:0], "In the training split: The images have shape (0, 4, 5, 1)"),
        ([[[1]], [[1, 2]]], "The training images make no array"),
    ],
)
def test_rejects_images_that_do_not_fit(images: Any, message: str) -> None:
    assert_rejected(message, train_images=images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.astype(np.float32), "The training labels are float32 of shape (60,)"),
        (LABELS > 0, "The training labels are bool"),
        (np.eye(3, dtype=np.int64)[LABELS], "The training labels are int64 of shape (60, 3)"),
        (LABELS - 1, "The training labels run from -1 to 1"),
        (
            LABELS * 2**15,
            "The training labels run from 0 to 65536; expected classes numbered from 0, to 65535 at most: renumber",
        ),
        (LABELS * 2**31, f"The training labels run from 0 to {2**32}"),
        (LABELS.astype(np.uint64) * 2**63, f"The training labels run from 0 to {2**63}"),
        (LABELS[:0], "60 images and 0 labels"),
        (np.zeros(60, np.int32), "num_classes 1"),
    ],
)
def test_rejects_labels_that_do_not_fit(labels: Any, message: str) -> None:
    assert_rejected(message, train_labels=labels, test_labels=np.zeros(7, int))


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
        (0.01, "0.01 of 60 training images, taken from each class and rounded, leaves no image"),
        ([], "The validation indices are float64 of shape (0,)"),
        (np.array([], int), "name 0 of 60 training images"),
        (range(60), "name 60 of 60 training images"),
        ([60], "run from 60 to 60"),
        ([-1], "run from -1 to -1"),
        ([3, 4, 3], "name an image more than once"),
        ([[3]], "int64 of shape (1, 1)"),
        ([0.5], "float64 of shape (1,)"),
        ((IMAGES,), "a tuple of 1; expected two"),
        ((3, 4, 5), "a tuple of 3; expected two"),
        ((IMAGES, LABELS[:59]), "60 images and 59 labels"),
        ((IMAGES / 10, LABELS), "The validation images hold numbers from 0 to 5.9"),
        ((IMAGES[:, :3], LABELS), "validation images of data set 'mine' are uint8 (3, 5, 1)"),
    ],
)
def test_rejects_a_validation_set_that_does_not_fit(validation: Any, message: str) -> None:
    assert_rejected(message, validation=validation)


def test_fewer_training_images_and_the_same_others() -> None:
    dataset = make()

    fewer = dataset.with_train_fraction(0.5, seed=1)

    assert np.bincount(fewer.train.labels).tolist() == [9, 9, 9]
    assert (fewer.validation, fewer.test, fewer.num_classes) == (dataset.validation, dataset.test, 3)
    assert set(numbers(fewer.train.images)) < set(numbers(dataset.train.images))
    assert fewer.fingerprint == dataset.with_train_fraction(0.5, seed=1).fingerprint
    assert fewer.fingerprint != dataset.with_train_fraction(0.5, seed=2).fingerprint
    assert dataset.with_train_fraction(1, seed=1).fingerprint == dataset.fingerprint
    assert len(dataset.with_train_fraction(1e-9, seed=1).train) == 3


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, float("nan"), float("inf")])
def test_rejects_a_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(DatasetError, match=f"fraction of training images is {fraction}; expected"):
        make().with_train_fraction(fraction, seed=0)


def test_rejects_a_negative_seed() -> None:
    with pytest.raises(DatasetError, match="seed of the choice of training images is -1; expected"):
        make().with_train_fraction(0.5, seed=-1)
