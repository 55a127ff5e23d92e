"""The user's own images from the file to the table."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.npyio import NpzFile

from glojax.search.__main__ import main
from tests.search.fakes import UseStandIns, no_picture, short  # noqa: F401

pytestmark = pytest.mark.usefixtures("no_picture")


@pytest.fixture
def own_data(tmp_path: Path) -> Path:
    """Forty training and twenty test images of 9 x 7 pixels in three colours, of three classes.

    The folder's name is no markup.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(60, 9, 7, 3), dtype=np.uint8)
    labels = np.arange(60) % 3
    path = tmp_path / "[bold]" / "own.npz"
    path.parent.mkdir()
    np.savez(path, x_train=images[:40], y_train=labels[:40], x_test=images[40:], y_test=labels[40:])
    return path


def test_own_images_are_compared_with_a_network_that_fits_them(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    options = ("--steps", "2", "--batch-size", "8", "--validation-fraction", "0.25", "--train-fraction", "0.5")
    arguments = ("compare", "--seeds", "1", "--dataset", "own.npz", "--run-dir", str(run_dir))
    losses = ("--losses", "baikal", "label_smoothing")
    monkeypatch.chdir(own_data.parent)
    assert main([*arguments, *losses, *options]) == 0
    config = json.loads((run_dir / "config.json").read_text())
    resolved = config["resolved"]
    assert config["options"]["network"] is None
    assert (resolved["network"], resolved["task"]) == ("SmallCNN", "classification")
    assert resolved["dataset_sizes"] == {"train": 15, "validation": 10, "test": 20}
    assert config["options"]["dataset"] == str(own_data)
    assert resolved["test_split"] == "official"
    result = json.loads((run_dir / "result.json").read_text())
    assert result["test_split"] == "official"
    smoothed = "log(y) * (0.1 / 3.0 - x * (0.1 - 1))"  # three classes
    assert [one["expression"] for one in result["comparison"]] == ["log(y) - x / y", smoothed]
    out = capsys.readouterr().out
    assert "own: 15 training, 10 validation, 20 test examples (official), from file own.npz. SmallCNN:" in out


@pytest.fixture
def begun(own_data: Path, tmp_path: Path, use_stand_ins: UseStandIns) -> Path:
    """The folder of a run on these images, which have moved since."""
    use_stand_ins(short)
    options = ("--steps", "2", "--batch-size", "8", "--dataset", str(own_data), "--run-dir", "run")
    assert main(["compare", "--losses", "baikal", "--seeds", "1", *options]) == 0
    own_data.rename(tmp_path / "moved.npz")
    return tmp_path / "run"


def test_a_run_goes_on_with_data_that_the_user_names(
    begun: Path, own_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(NpzFile, "__init__", pytest.fail)
    assert main(["resume", str(begun)]) == 2
    command = f"python -m glojax.search resume {begun} --data-dir '{own_data}'"
    assert capsys.readouterr().err.endswith(f"sender may have chosen that; if it is yours, go on with: {command}\n")


def test_a_run_goes_on_with_a_copy_of_its_data(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(begun), "--data-dir", str(begun.parent / "moved.npz")]) == 0
    assert "moved.npz" in capsys.readouterr().out


def test_a_run_does_not_go_on_with_other_data(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = begun.parent / "moved.npz"
    arrays = dict(np.load(path))
    arrays["x_train"][0] ^= 1
    np.savez(path, **arrays)
    assert main(["resume", str(begun), "--data-dir", str(path)]) == 2
    assert "dataset_fingerprint was" in capsys.readouterr().err
