"""Arrays of a user's files that are easily mistaken: put right with a warning, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glojax.datasets import Dataset, load_dataset
from glojax.errors import DatasetError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(256, size=(60, 8, 9, 3), dtype=np.uint8)
LABELS = np.arange(60) % 4


def load(tmp_path: Path, images: Any = IMAGES, labels: Any = LABELS, **options: Any) -> Dataset:
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=images[:40], y_train=labels[:40], x_test=images[40:], y_test=labels[40:])
    return load_dataset(path, **options)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda images: images.transpose(0, 3, 1, 2), "have their channels first; they were moved last."),
        (lambda images: images.astype(np.int64), "are whole numbers from 0 to 255; they were taken for pixels."),
        (lambda images: images.astype(np.float64), "are whole numbers from 0 to 255; they were taken for pixels."),
    ],
    ids=["channels", "integers", "floats"],
)
def test_images_of_another_form_are_put_right(
    change: Any, line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = load(tmp_path).fingerprint
    assert not caplog.records

    assert load(tmp_path, change(IMAGES)).fingerprint == expected
    assert [record.getMessage() for record in caplog.records] == [f"{tmp_path / 'mine.npz'}: the images {line}"]


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_grey_images_without_a_channel_are_put_right(
    kind: type, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grey = IMAGES[..., 0]
    assert load(tmp_path, grey.astype(kind)).fingerprint == load(tmp_path, grey).fingerprint
    assert "the images are whole numbers from 0 to 255; they were taken for pixels." in caplog.text


def test_labels_from_1_are_renumbered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = load(tmp_path).fingerprint

    assert load(tmp_path, labels=LABELS + 1).fingerprint == expected
    assert "the labels run from 1 to 4; they were renumbered from 0." in caplog.text


def test_numbers_from_1_that_are_no_labels_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = load(tmp_path, labels=LABELS + 1, task="regression")

    assert dataset.train.targets.min() == 1
    assert not caplog.records


def test_a_class_that_only_the_test_has_counts_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = LABELS.copy()
    labels[50] = 7

    assert load(tmp_path, labels=labels).num_outputs == 8
    assert "no training example has the label 7 of the test split, which no network can learn" in caplog.text
    assert load(tmp_path, labels=labels + 1).num_outputs == 8
    assert "no training example has the label 8 of the test split" in caplog.text


def test_floats_just_above_1_are_taken_as_they_are(tmp_path: Path) -> None:
    images = (IMAGES / 255).astype(np.float32) * np.float32(1.000001)
    assert images.max() > 1

    assert load(tmp_path, images).train.inputs.max() == images[:40].max()


@pytest.mark.parametrize(
    "inputs", [IMAGES[:, :3, :, 0].astype(int), RNG.random((60, 3, 9)), LABELS[:, None] % 2, IMAGES.astype(int) // 64]
)
def test_other_inputs_stay_as_they_are(inputs: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load(tmp_path, inputs).input_shape == inputs.shape[1:]
    assert not caplog.records


@pytest.mark.parametrize(("images", "labels"), [(IMAGES[:59], LABELS), (IMAGES, np.array(3)), (np.array(3), LABELS)])
def test_nothing_is_held_out_of_arrays_that_do_not_fit(images: Any, labels: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=labels)

    with pytest.raises(DatasetError, match=r"The training set has inputs of shape .*; expected as many of each"):
        load_dataset(tmp_path / "mine.npz", test_split="held-out")


def test_a_held_out_test_split_takes_a_fifth_of_each_class(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=IMAGES, y_train=LABELS)
    assert load_dataset(path).test is None

    dataset = load_dataset(path, test_split="held-out")

    assert dataset.test is not None
    assert [np.bincount(split.targets.astype(int)).tolist() for split in dataset.splits.values()] == [
        [11] * 4,
        [1] * 4,
        [3] * 4,
    ]
    examples = np.concatenate([split.inputs for split in dataset.splits.values()])
    assert sorted(each.tobytes() for each in examples) == sorted(each.tobytes() for each in IMAGES)


@pytest.mark.parametrize(("targets", "task"), [(np.eye(4)[LABELS], None), (LABELS[:, None], "classification")])
def test_a_fifth_of_each_class_is_held_out_whatever_the_form_of_labels(
    targets: Any, task: str | None, tmp_path: Path
) -> None:
    np.savez(tmp_path / "mine.npz", x_train=IMAGES, y_train=targets)
    test = load_dataset(tmp_path / "mine.npz", test_split="held-out", task=task).splits["test"].targets  # type: ignore[arg-type]

    classes = test if test.ndim == 1 else test.argmax(axis=1)
    assert np.bincount(classes.astype(int)).tolist() == [3, 3, 3, 3]


def test_different_whole_numbers_to_predict_are_held_out_at_random(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_train=IMAGES, y_train=np.arange(60))
    dataset = load_dataset(tmp_path / "mine.npz", test_split="held-out", task="regression")

    assert len(dataset.splits["test"]) == 12
