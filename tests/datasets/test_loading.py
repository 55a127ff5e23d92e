from pathlib import Path
from typing import Any

import pytest

from glojax.datasets import DATASETS, load_dataset
from glojax.errors import DatasetError


def test_the_promised_names() -> None:
    published = ("digits", "mnist", "fashion_mnist", "cifar10")
    assert tuple(DATASETS) == (*published, "diabetes", "breast_cancer", "wine", "digit_segmentation")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("digit", "did you mean 'digits'?"),
        ("MNIST", "did you mean 'mnist'?"),
        ("mnst", "did you mean 'mnist'?"),
        ("cifar", "did you mean 'cifar10'?"),
        ("fashion-mnist", "did you mean 'fashion_mnist'?"),
        ("imagenet", "choose one of these."),
        ("", "choose one of these."),
        ("images.npy", "choose one of these."),
    ],
)
def test_an_unknown_name_gets_the_known_ones_and_the_nearest(name: str, advice: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset(name)

    assert str(caught.value) == (
        f"Unknown data set {name!r}; expected one of {', '.join(DATASETS)}, tfds:NAME, or the path of a .npz file; a "
        ".csv, .tsv or .parquet table, or a folder with such a train table; a folder of CIFAR-10 or CIFAR-100, or an "
        "official archive; a folder of IDX files; or a folder prepared by tensorflow-datasets: "
        f"{advice}"
    )


@pytest.mark.parametrize("name", ["no/where", "no\0/where", f"no/{'where' * 99}", "nowhere/", ".", "/dev/null"])
def test_a_path_without_data_is_refused_with_what_may_be_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("train images")

    with pytest.raises(DatasetError, match=r"(does not exist|is not recognised); expected a \.npz file; a \.csv, "):
        load_dataset(name)


def test_the_home_folder_may_be_abbreviated(monkeypatch: pytest.MonkeyPatch, blank_mnist: Path) -> None:
    monkeypatch.setenv("HOME", str(blank_mnist.parent))

    assert load_dataset("mnist", f"~/{blank_mnist.name}").name == "mnist"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digits", {"test_split": "held-out"}, "'digits' was given the test split 'held-out'; expected 'official'"),
        ("digits", {"validation_fraction": 0.1}, "'digits' was given the validation fraction 0.1; expected none"),
        ("mnist", {"validation_fraction": 0.1}, "'mnist' was given the validation fraction 0.1; expected none"),
        ("mnist", {"test_split": "heldout"}, "The test split is 'heldout'; expected one of official, held-out"),
    ],
)
def test_rejects_options_that_do_not_go_with_the_data_set(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset(name, **options)
