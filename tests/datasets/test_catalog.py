from collections.abc import Iterator

import numpy as np
import pytest

from glojax.datasets import DATASETS, Dataset, DatasetSource, load_dataset, register_dataset
from glojax.datasets.__main__ import main
from glojax.errors import DatasetError


def make_blobs() -> Dataset:
    """Three classes of grey images, each with its own brightness."""
    labels = np.arange(30) % 3
    images = np.full((30, 4, 4), 0.3) * labels[:, None, None]
    return Dataset.from_arrays("blobs", images, labels)


@pytest.fixture
def blobs() -> Iterator[Dataset]:
    """A data set that is registered from outside the package for the duration of a test."""
    register_dataset("blobs", make_blobs)
    yield make_blobs()
    del DATASETS["blobs"]


def test_a_registered_data_set_loads_by_its_name(blobs: Dataset) -> None:
    assert load_dataset("blobs").fingerprint == blobs.fingerprint

    source = DatasetSource("blobs", train_fraction=0.5, seed=1)
    assert source.absolute().load().fingerprint == blobs.with_train_fraction(0.5, seed=1).fingerprint


@pytest.mark.usefixtures("blobs")
def test_the_command_line_and_messages_know_a_registered_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("blobs")]
    assert line.split() == ["blobs", "4", "x", "4", "3", "27", "3", "none", "built", "in"]

    assert main(["fetch", "blobs"]) == 2
    assert "Cannot fetch 'blobs'; expected one of mnist, fashion_mnist, cifar10:" in capsys.readouterr().err
    with pytest.raises(
        DatasetError, match=r"expected one of .*, digit_segmentation, blobs, tfds:NAME, .*: did you mean 'blobs'\?"
    ):
        load_dataset("blob")


@pytest.mark.usefixtures("blobs")
def test_a_registered_data_set_takes_no_options() -> None:
    with pytest.raises(DatasetError, match=r"'blobs' was given the folder .* leave --data-dir out"):
        load_dataset("blobs", "folder")
    with pytest.raises(DatasetError, match="'blobs' was given the test split 'held-out'"):
        load_dataset("blobs", test_split="held-out")
    with pytest.raises(DatasetError, match=r"'blobs' was given the validation fraction 0\.2"):
        load_dataset("blobs", validation_fraction=0.2)


@pytest.mark.usefixtures("blobs")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        *((name, "exists already") for name in ("mnist", "blobs")),
        *((name, "reads as a path") for name in ("mine.npz", "mine.csv", "data/mine", "tfds:mine")),
    ],
)
def test_rejects_names_with_another_meaning(name: str, found: str) -> None:
    before = dict(DATASETS)

    with pytest.raises(DatasetError) as caught:
        register_dataset(name, make_blobs)

    assert str(caught.value) == (
        f"Cannot register the data set {name!r}, which {found}; expected a name other than digits, mnist, "
        "fashion_mnist, cifar10, diabetes, breast_cancer, wine, digit_segmentation, blobs, which is no path and no "
        "tfds:NAME: choose another."
    )
    assert before == DATASETS


def test_rejects_a_function_that_makes_no_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "arrays", lambda: np.zeros(3))

    with pytest.raises(DatasetError, match=r"'arrays' returned ndarray; expected a glojax\.Dataset"):
        load_dataset("arrays")
