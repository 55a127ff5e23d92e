"""The user's own images from the file to the table."""

import json
from pathlib import Path

import numpy as np
import pytest

from glojax.search.__main__ import main


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
    arguments = ("compare", "--losses", "baikal", "--seeds", "1", "--dataset", "own.npz", "--run-dir", str(run_dir))
    monkeypatch.chdir(own_data.parent)
    assert main([*arguments, *options]) == 0
    config = json.loads((run_dir / "config.json").read_text())
    resolved = config["resolved"]
    assert config["options"]["network"] == "SmallCNN"
    assert resolved["dataset_sizes"] == {"train": 15, "validation": 10, "test": 20}
    assert config["options"]["dataset"] == str(own_data)
    assert resolved["test_split"] == "official"
    assert json.loads((run_dir / "result.json").read_text())["test_split"] == "official"
    out = capsys.readouterr().out
    assert "own: 15 training, 10 validation, 20 test images (official), from file own.npz. SmallCNN:" in out
    monkeypatch.chdir(tmp_path)
    assert main(["resume", "run"]) == 0
