"""CIFAR-10 and CIFAR-100 by the path of their files, in both official forms."""

import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glojax.datasets import Dataset, cifar10, load_dataset
from glojax.datasets.cifar import CIFAR10_PYTHON
from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.publication import SplitName
from glojax.errors import DatasetError
from tests.datasets.files import labels_in_turn, python2_pickle

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(256, size=(3, 40, 3_072), dtype=np.uint8)
LABELS = np.arange(40, dtype=np.uint8) % 5


def images(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Planes of red, green and blue as images [N, 32, 32, 3]."""
    return np.stack([pixels[:, plane * 1024 : (plane + 1) * 1024].reshape(-1, 32, 32) for plane in range(3)], axis=-1)


def write(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def batch(pixels: NDArray[np.uint8], **labels: Any) -> bytes:
    """A batch as the authors pickled it."""
    names = [f"{index}.png" for index in range(40)]
    return python2_pickle(
        {"batch_label": "one", "data": pixels, "filenames": names} | {k: v.tolist() for k, v in labels.items()}
    )


def cifar(kind: str, tmp_path: Path) -> Path:
    """The folder of a form with two training batches of CIFAR-10 or one of CIFAR-100, and a test batch."""
    labels, coarse = LABELS, LABELS // 3
    if kind == "cifar-10-batches-bin":
        one, two, test = (np.concatenate([labels[:, None], each], axis=1).tobytes() for each in PIXELS)
        return write(tmp_path / kind, {"data_batch_1.bin": one, "data_batch_2.bin": two, "test_batch.bin": test})
    if kind == "cifar-10-batches-py":
        one, two, test = (batch(each, labels=labels) for each in PIXELS)
        return write(
            tmp_path / kind, {"data_batch_1": one, "data_batch_2": two, "test_batch": test, "batches.meta": b""}
        )
    if kind == "cifar-100-binary":
        one, _, test = (np.concatenate([coarse[:, None], labels[:, None], each], axis=1).tobytes() for each in PIXELS)
        return write(tmp_path / kind, {"train.bin": one, "test.bin": test, "fine_label_names.txt": b""})
    one, _, test = (batch(each, fine_labels=labels, coarse_labels=coarse) for each in PIXELS)
    return write(tmp_path / kind, {"train": one, "test": test, "meta": b""})


FORMS = ["cifar-10-batches-bin", "cifar-10-batches-py", "cifar-100-binary", "cifar-100-python"]


def assert_holds(dataset: Dataset, form: str) -> None:
    train = PIXELS[:2].reshape(-1, 3_072) if "-10-" in form else PIXELS[0]
    inputs = np.concatenate([dataset.train.inputs, dataset.validation.inputs])
    assert sorted(each.tobytes() for each in inputs) == sorted(each.tobytes() for each in images(train))
    assert dataset.test is not None
    assert (dataset.test.inputs == images(PIXELS[2])).all()
    assert (dataset.test.targets == LABELS).all()
    assert dataset.num_outputs == 5


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_recognised(form: str, tmp_path: Path) -> None:
    folder = cifar(form, tmp_path)
    for path in (folder, tmp_path):
        dataset = load_dataset(path)
        assert_holds(dataset, form)
        assert dataset.origin.endswith(f" in {folder}")


def test_an_archive_is_read(tmp_path: Path) -> None:
    folder = cifar("cifar-100-python", tmp_path)
    archive = tmp_path / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, folder.name)
    folder.rename(tmp_path / "away")

    assert_holds(load_dataset(archive), folder.name)
    assert load_dataset(tmp_path).origin == f"CIFAR files train, test in {archive}"


def test_one_of_several_is_named(tmp_path: Path) -> None:
    for form in FORMS[1:3]:
        cifar(form, tmp_path)

    with pytest.raises(DatasetError, match=r"holds 2 data sets of CIFAR; expected one: name one of .*-batches-py, .*"):
        load_dataset(tmp_path)


def test_a_folder_without_test_file_has_no_test_split(tmp_path: Path) -> None:
    folder = cifar("cifar-10-batches-py", tmp_path)
    (folder / "test_batch").unlink()

    assert load_dataset(folder).test is None
    held_out = load_dataset(folder, test_split="held-out")
    assert [len(split) for split in held_out.splits.values()] == [60, 5, 15]
    assert held_out.test_split == "held-out"


def test_a_hostile_batch_is_refused(tmp_path: Path) -> None:
    folder = cifar("cifar-10-batches-py", tmp_path)
    (folder / "data_batch_2").write_bytes(pickle.dumps({"data": print}, protocol=2))

    with pytest.raises(
        DatasetError, match=r"data_batch_2 cannot be read \(it asks for .* print\); expected a pickle of"
    ):
        load_dataset(folder)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"data": PIXELS[0]}, "it lacks data of 3,072 pixels, or as many labels"),
        ({"data": PIXELS[0][:, :5], "labels": LABELS.tolist()}, "it lacks data of 3,072 pixels"),
        ({"data": PIXELS[0], "labels": [1, 2]}, "or as many labels"),
    ],
)
def test_a_batch_that_lacks_something_is_refused(tmp_path: Path, content: dict[str, Any], found: str) -> None:
    folder = write(tmp_path / "cifar-10-batches-py", {"data_batch_1": python2_pickle(content)})

    with pytest.raises(DatasetError, match=found):
        load_dataset(folder)


def test_files_named_train_and_test_are_of_cifar_100_only_with_its_others(tmp_path: Path) -> None:
    folder = cifar("cifar-100-python", tmp_path).rename(tmp_path / "mine")
    assert_holds(load_dataset(folder), "cifar-100-python")

    (folder / "meta").unlink()
    with pytest.raises(DatasetError, match=r"is not recognised; expected a \.npz file; a .csv"):
        load_dataset(folder)


def test_cifar10_takes_the_pickled_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "_IMAGES_PER_FILE", 40)
    splits: dict[str, SplitName] = {"test_batch": "test"}
    splits |= dict.fromkeys(CIFAR10_PYTHON.train_files, "train")
    labels = {name: labels_in_turn(40, CIFAR10.first_labels[split]) for name, split in splits.items()}
    folder = write(
        tmp_path / "cifar-10-batches-py", {name: batch(PIXELS[0], labels=each) for name, each in labels.items()}
    )

    found = CIFAR10.read_originals(tmp_path, with_test=True)

    assert found is not None
    assert (found.train.inputs == np.concatenate([images(PIXELS[0])] * 5)).all()
    assert (found.train.targets == np.concatenate([labels["data_batch_1"]] * 5)).all()
    assert found.test is not None
    assert found.test.targets.tolist() == labels["test_batch"].tolist()
    assert found.origin == f"pickled files in {folder}"
