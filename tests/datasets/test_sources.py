from pathlib import Path

import pytest

from glojax.datasets import DATASETS, load_dataset
from glojax.errors import DatasetError


def test_the_names_we_promise() -> None:
    assert set(DATASETS) >= {"digits", "mnist"}


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("digit", "did you mean 'digits'?"),
        ("MNIST", "did you mean 'mnist'?"),
        ("mnst", "did you mean 'mnist'?"),
        ("imagenet", "choose one of these."),
        ("", "choose one of these."),
    ],
)
def test_an_unknown_name_gets_the_known_ones_and_the_nearest(name: str, advice: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset(name)

    assert str(caught.value) == f"Unknown data set {name!r}; expected one of {', '.join(DATASETS)}: {advice}"


def test_the_home_folder_may_be_abbreviated(monkeypatch: pytest.MonkeyPatch, blank_mnist: Path) -> None:
    monkeypatch.setenv("HOME", str(blank_mnist.parent))

    assert load_dataset("mnist", f"~/{blank_mnist.name}").name == "mnist"
