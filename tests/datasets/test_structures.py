"""Data sets whose inputs are a structure of arrays."""

from typing import Any

import numpy as np
import pytest

from glojax.datasets import Dataset, Split
from glojax.errors import DatasetError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 4, 5), np.uint8)
TABLE = RNG.normal(size=(20, 3))
TARGETS = np.arange(20) % 2


def dataset_of(inputs: Any, **options: Any) -> Dataset:
    return Dataset.from_arrays("mine", inputs, TARGETS, **options)


def test_each_array_is_converted_as_if_it_were_alone() -> None:
    dataset = dataset_of({"image": IMAGES, "nested": [TABLE, (IMAGES[:, 0].astype(np.int64),)]}, validation=[3, 1])
    assert dataset.input_shape == {"image": (4, 5, 1), "nested": [(3,), ((5,),)]}
    inputs = dataset.validation.inputs
    np.testing.assert_array_equal(inputs["image"], IMAGES[[3, 1], ..., None], strict=True)
    np.testing.assert_array_equal(inputs["nested"][0], TABLE[[3, 1]].astype(np.float32), strict=True)
    np.testing.assert_array_equal(inputs["nested"][1][0], IMAGES[[3, 1], 0].astype(np.int32), strict=True)
    assert not inputs["image"].flags.writeable
    np.testing.assert_array_equal(dataset.train.inputs["image"][0, ..., 0], IMAGES[0])


def test_a_list_of_examples_is_one_array() -> None:
    for container in (list, tuple):
        given, whole = (dataset_of(each).train.inputs for each in (container(TABLE), TABLE))
        np.testing.assert_array_equal(given, whole, strict=True)
    assert dataset_of(TABLE.tolist()).input_shape == (3,)
    assert dataset_of({"a": TABLE.tolist(), "b": list(IMAGES)}).input_shape == {"a": (3,), "b": (4, 5, 1)}


def test_changes_of_the_training_examples_take_rows_of_each_array() -> None:
    dataset = dataset_of({"row": np.arange(20), "twice": 2 * np.arange(20)}, validation=[0, 1])
    for changed in (dataset.with_train_fraction(0.5, 0), dataset.with_imbalance(0.4, 0)):
        inputs = changed.train.inputs
        assert len(changed.train) < 18
        np.testing.assert_array_equal(inputs["twice"], 2 * inputs["row"])
        np.testing.assert_array_equal(TARGETS[inputs["row"]], changed.train.targets)


def test_the_fingerprint_covers_each_array_and_its_place() -> None:
    given = [
        {"a": TABLE, "b": IMAGES},
        {"a": TABLE, "c": IMAGES},
        {"a": TABLE, "b": IMAGES // 2},
        {"a": TABLE},
        (TABLE, IMAGES),
        TABLE,
    ]
    assert len({dataset_of(inputs).fingerprint for inputs in given}) == len(given)
    assert dataset_of(TABLE).fingerprint == "7a9bd2d77520314c4753b073f7c6ab42baadb8b9a7d7d42a0fe8df3484bae24a"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"image": IMAGES, "table": TABLE[:7]},
            r"Got 20 inputs\['image'\] and 7 inputs\['table'\]; expected as many inputs\['table'\] as inputs\['im",
        ),
        ((IMAGES[:7], TABLE[:7]), r"Got 7 inputs\[0\] and 20 targets; expected as many targets as inputs\[0\]"),
        ({"a": {"b": TABLE * np.inf}}, r"The inputs\['a'\]\['b'\] hold NaN or infinity"),
        ({"a": TABLE, "b": np.array(["x"] * 20)}, r"The training inputs\['b'\] are <U1; expected uint8 pixels"),
        ({"a": TABLE, "b": 3}, r"The inputs\['b'\] have shape \(\); expected \[N, \.\.\.\]"),
        ({"a": TABLE, 1: TABLE}, r"The training inputs make no pytree .*; expected keys of one type"),
        ({"a": None}, "The inputs hold no array; expected one, or a dict, tuple or list of some"),
        ({}, "The inputs hold no array"),
    ],
)
def test_a_structure_that_is_no_data_is_refused_in_one_line(inputs: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        dataset_of(inputs)
    assert "\n" not in str(caught.value)


def test_splits_of_other_structures_are_refused() -> None:
    message = (
        r"The test inputs of data set 'mine' are \{'a': 'float32 \(3,\)'\}; expected \{'a': 'float32 \(3,\)', "
        r"'b': 'uint8 \(4, 5, 1\)'\} as in training"
    )
    with pytest.raises(DatasetError, match=message):
        dataset_of({"a": TABLE, "b": IMAGES}, test=({"a": TABLE}, TARGETS))


def test_a_split_is_refused_without_any_array() -> None:
    with pytest.raises(DatasetError, match="The inputs hold no array"):
        Split({}, TARGETS.astype(np.int32))
