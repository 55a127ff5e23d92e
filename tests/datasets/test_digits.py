from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits as load_sklearn_digits

from glojax.datasets import Dataset, load_dataset
from glojax.errors import DatasetError


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def test_extents(digits: Dataset) -> None:
    assert {name: len(split) for name, split in digits.splits.items()} == {
        "train": 1_077,
        "validation": 360,
        "test": 360,
    }
    assert (digits.name, digits.num_outputs, digits.input_shape) == ("digits", 10, (8, 8, 1))
    assert digits.train.inputs.dtype == np.float32


def test_every_image_is_in_exactly_one_split_with_its_label(digits: Dataset) -> None:
    """No two of the images are equal, so their pixels tell them apart."""
    source = load_sklearn_digits()
    expected = np.column_stack([source.images.reshape(-1, 64), source.target])
    found = np.concatenate(
        [np.column_stack([split.inputs.reshape(-1, 64) * 16, split.targets]) for split in digits.splits.values()]
    )

    np.testing.assert_array_equal(np.unique(found, axis=0), np.unique(expected, axis=0))
    assert len(found) == len(expected) == len(np.unique(found, axis=0))


def test_every_split_is_stratified(digits: Dataset) -> None:
    labels = np.concatenate([split.targets for split in digits.splits.values()])
    class_shares = np.bincount(labels) / len(labels)

    for split in digits.splits.values():
        assert np.abs(np.bincount(split.targets.astype(int)) - class_shares * len(split)).max() <= 1


def test_pixels_fill_the_unit_interval(digits: Dataset) -> None:
    for split in digits.splits.values():
        assert split.inputs.min() == 0
        assert split.inputs.max() == 1


def test_the_split_does_not_depend_on_anything(digits: Dataset) -> None:
    np.random.seed(1)  # noqa: NPY002 - the global state that the split must not depend on
    again = load_dataset("digits")

    assert again.fingerprint == digits.fingerprint


def test_takes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'digits' was given the folder .* leave --data-dir out"):
        load_dataset("digits", tmp_path)
