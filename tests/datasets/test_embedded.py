from typing import Any

import numpy as np
import pytest
from sklearn import datasets

from glojax.datasets import Dataset, load_dataset
from glojax.datasets.embedded import INK


@pytest.mark.parametrize(("name", "num_outputs"), [("diabetes", 1), ("breast_cancer", 2), ("wine", 3)])
def test_every_row_of_a_table_is_in_exactly_one_split(name: str, num_outputs: int) -> None:
    source: Any = getattr(datasets, f"load_{name}")()
    dataset = load_dataset(name)

    assert dataset.num_outputs == num_outputs
    assert dataset.task == ("regression" if name == "diabetes" else "classification")
    rows = np.concatenate([split.inputs for split in dataset.splits.values()])
    targets = np.concatenate([split.targets for split in dataset.splits.values()])
    # Standardised by the training rows, so up to a factor and an offset for each column the same.
    raw = np.column_stack([source.data, source.target])
    found = np.column_stack([rows, targets])
    order, own_order = np.lexsort(np.round(_scaled(raw), 4).T), np.lexsort(np.round(_scaled(found), 4).T)
    np.testing.assert_allclose(_scaled(found)[own_order], _scaled(raw)[order], atol=2e-4)
    np.testing.assert_allclose(dataset.train.inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(dataset.train.inputs.std(axis=0), 1, atol=1e-4)
    sizes = [len(split) for split in dataset.splits.values()]
    assert sizes[1:] == [len(raw) // 5] * 2


def _scaled(columns: Any) -> Any:
    """Each column from 0 to 1."""
    return (columns - columns.min(axis=0)) / np.ptp(columns, axis=0)


@pytest.fixture(scope="module")
def pixels() -> Dataset:
    return load_dataset("digit_segmentation")


def test_each_image_shows_its_digit_where_the_classes_say_so(pixels: Dataset) -> None:
    digits = load_dataset("digits")
    for name, split in pixels.splits.items():
        own = digits.splits[name].inputs[..., 0]
        for index in range(0, len(split), 37):
            rows, columns = np.nonzero(split.targets[index])
            ink_rows, ink_columns = np.nonzero(own[index] >= INK)
            top, left = rows.min() - ink_rows.min(), columns.min() - ink_columns.min()
            inside = np.s_[top : top + 8, left : left + 8]
            np.testing.assert_array_equal(split.targets[index][inside], own[index] >= INK)
            assert (split.inputs[index, ..., 0][inside] >= own[index]).all()
            assert len(rows) == len(ink_rows)


def test_the_background_is_noise_and_the_same_every_time(pixels: Dataset) -> None:
    background = pixels.train.inputs[..., 0][pixels.train.targets == 0]
    assert 0 <= background.min() < 0.01
    assert 0.89 < background.max() <= 0.9
    assert pixels.fingerprint == load_dataset("digit_segmentation").fingerprint
