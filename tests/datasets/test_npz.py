import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glojax.datasets import load_dataset, reading
from glojax.errors import DatasetError

RNG = np.random.default_rng(0)
ARRAYS: dict[str, Any] = {
    "x_train": RNG.integers(256, size=(40, 6, 5, 3), dtype=np.uint8),
    "y_train": np.arange(40) % 4,
    "x_test": RNG.integers(256, size=(8, 6, 5, 3), dtype=np.uint8),
    "y_test": np.arange(8) % 4,
}


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{name: array for name, array in (ARRAYS | arrays).items() if array is not None})
    return path


def assert_rejected(path: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset(path, **options)

    message = str(caught.value)
    assert str(path) in message
    assert "expected" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_splits_and_names(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.npz")

    dataset = load_dataset(path)

    assert (dataset.name, dataset.num_outputs, dataset.input_shape) == ("mine", 4, (6, 5, 3))
    assert [len(split) for split in dataset.splits.values()] == [36, 4, 8]
    assert (dataset.origin, dataset.test_split) == (f"file {path}", "official")
    assert load_dataset(str(path)).fingerprint == dataset.fingerprint


def test_compressed_files_and_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez_compressed(tmp_path / "mine.npz", **ARRAYS)

    assert load_dataset("~/mine.npz", validation_fraction=0.5).validation.targets.tolist().count(0) == 5


def test_the_file_may_say_which_images_validate(tmp_path: Path) -> None:
    indices = load_dataset(save(tmp_path / "one.npz", validation_indices=np.array([3, 9])))
    arrays = load_dataset(
        save(tmp_path / "two.npz", x_validation=ARRAYS["x_train"][[3, 9]], y_validation=np.array([3, 1]))
    )

    assert len(indices.train) == 38
    assert len(arrays.train) == 40
    np.testing.assert_array_equal(indices.validation.inputs, ARRAYS["x_train"][[3, 9]])
    np.testing.assert_array_equal(indices.validation.targets, [3, 1])
    np.testing.assert_array_equal(arrays.validation.inputs, indices.validation.inputs)


def test_the_file_may_weigh_the_examples(tmp_path: Path) -> None:
    weights = {"weights_train": np.arange(40) + 1, "weights_test": np.full(8, 2.5)}
    dataset = load_dataset(save(tmp_path / "mine.npz", **weights, validation_indices=np.array([3, 9])))

    assert dataset.train.weights is not None
    np.testing.assert_array_equal(dataset.train.weights, np.delete(np.arange(40) + 1, [3, 9]))
    np.testing.assert_array_equal(dataset.validation.weights, [4, 10])
    np.testing.assert_array_equal(dataset.test.weights if dataset.test else None, np.full(8, 2.5))


def test_weights_are_held_out_with_their_examples(tmp_path: Path) -> None:
    path = save(
        tmp_path / "mine.npz",
        x_train=np.arange(40)[:, None],
        weights_train=np.arange(40) + 1,
        x_test=None,
        y_test=None,
    )
    dataset = load_dataset(path, test_split="held-out")

    for split in dataset.splits.values():
        np.testing.assert_array_equal(split.weights, split.inputs[:, 0] + 1)
    assert len(dataset.splits["test"]) == 8


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"y_train": None, "x_test": None}, "lacks y_train, x_test, and holds x_train, y_test; expected"),
        ({"x_valid": ARRAYS["x_test"]}, "holds the unknown array 'x_valid'; expected"),
        ({"x_valid": ARRAYS["x_test"]}, "rename it, perhaps to x_validation"),
        ({"x_validation": ARRAYS["x_test"]}, "holds x_validation; expected either x_validation and y_validation or"),
        (
            {"x_validation": ARRAYS["x_test"], "y_validation": ARRAYS["y_test"], "validation_indices": np.array([1])},
            "holds x_validation, y_validation, validation_indices; expected either",
        ),
        ({"y_train": ARRAYS["y_train"][1:]}, "40 inputs and 39 targets"),
        ({"weights": np.ones(40)}, "holds the unknown array 'weights'; expected x_train"),
        ({"weights_train": np.ones(39)}, "40 inputs and 39 weights"),
        ({"weights_train": -np.ones(40)}, "run from -1 to -1; expected [N], at least 0"),
        ({"weights_validation": np.ones(4)}, "holds weights_validation; expected either x_validation and"),
        ({"y_test": ARRAYS["y_test"] - 1}, "The test targets run from -1 to 2"),
        ({"x_train": ARRAYS["x_train"] / 2}, "The test inputs of data set 'bad'"),
        ({"x_test": ARRAYS["x_test"][:, :5]}, "The test inputs of data set 'bad' are uint8 (5, 5, 3)"),
        ({"y_train": np.array([None] * 40)}, "Object arrays cannot be loaded when allow_pickle=False"),
        ({"validation_indices": np.array([40])}, "run from 40 to 40"),
    ],
)
def test_rejects_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], found: str) -> None:
    assert_rejected(save(tmp_path / "bad.npz", **arrays), found)


def test_the_targets_may_need_a_task(tmp_path: Path) -> None:
    labels = np.eye(4, dtype=int)
    path = save(tmp_path / "mine.npz", y_train=labels[ARRAYS["y_train"]], y_test=labels[ARRAYS["y_test"]])

    assert_rejected(path, "could be for classification or for multilabel")
    assert load_dataset(path, task="multilabel").task == "multilabel"


def test_other_arrays_do_not_matter(tmp_path: Path) -> None:
    for names in (np.array(["a", "b"]), np.array(["a", None])):
        assert load_dataset(save(tmp_path / "mine.npz", class_names=names)).num_outputs == 4


def test_rejects_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert_rejected(tmp_path / "nowhere.npz", "cannot be read (No such file or directory); expected a .npz file")
    (tmp_path / "folder.npz").mkdir()
    assert_rejected(tmp_path / "folder.npz", "cannot be read (Is a directory)")
    (tmp_path / "text.npz").write_text("x_train")
    assert_rejected(tmp_path / "text.npz", "expected a .npz file with arrays of numbers, without Python objects")
    (tmp_path / "empty.npz").touch()
    assert_rejected(tmp_path / "empty.npz", "expected a .npz file")
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, ARRAYS["x_train"])
    assert_rejected(tmp_path / "array.npz", "expected a .npz file")
    np.savez(tmp_path / "nothing.npz")
    assert_rejected(tmp_path / "nothing.npz", "lacks x_train, y_train, and holds nothing;")


def test_rejects_every_truncation(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.npz").read_bytes()
    cut = tmp_path / "cut.npz"

    for length in range(0, len(whole), 301):
        cut.write_bytes(whole[:length])
        assert_rejected(cut)


def test_rejects_damaged_contents(tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, **ARRAYS)
    whole = path.read_bytes()
    path.write_bytes(whole[:500] + b"\xff" * 500 + whole[1_000:])

    assert_rejected(path, "cannot be read (")


def test_rejects_an_encrypted_file(tmp_path: Path) -> None:
    path = save(tmp_path / "secret.npz")
    contents = bytearray(path.read_bytes())
    contents[contents.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(contents)

    assert_rejected(path, "is encrypted")


def test_rejects_options_that_do_not_go_with_it(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.npz")
    assert_rejected(path, "was given the folder", "are all at that path: leave --data-dir out", data_dir=tmp_path)
    assert_rejected(path, "the test split 'held-out' was given; expected 'official'", test_split="held-out")
    assert_rejected(path, "The validation set is 1.5; expected a fraction", validation_fraction=1.5)

    save(path, validation_indices=np.array([1]))
    assert_rejected(path, "the validation fraction 0.2 was given; expected one of them", validation_fraction=0.2)


def test_rejects_a_file_that_unpacks_to_much_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_UNPACKED", 10**6)
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, **ARRAYS | {"x_train": np.zeros((40, 500, 500, 3), np.uint8)})
    assert_rejected(path, "cannot be read (its arrays have 30,", " bytes, more than 6,")  # 200 times its size
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x_train", bytes(10**8))  # without .npy, which NumPy takes for the same
    assert_rejected(path, "cannot be read (its arrays have 100,000,000 bytes")
    np.savez_compressed(path, **ARRAYS, unused=np.zeros(10**8, np.uint8))
    assert load_dataset(path).num_outputs == 4


def test_rejects_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = save(tmp_path / "promise.npz")
    path.write_bytes(path.read_bytes().replace(b"(40, 6, 5, 3)", b"(4000000,6,5)"))
    assert_rejected(path, "cannot be read (")


def test_rejects_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    assert_rejected(tmp_path / "pipe.npz", "is a pipe or a device")
