"""Options that put trouble into the training data: they are recorded, and a run goes on with the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from glojax.datasets import DatasetSource
from glojax.search.__main__ import main
from glojax.search.config_file import sealed
from tests.search.fakes import UseStandIns, no_picture, short  # noqa: F401

pytestmark = pytest.mark.usefixtures("no_picture")

SOURCE = DatasetSource("digits", imbalance=0.2, label_noise=0.4, noise_kind="pair", seed=3)


@pytest.fixture
def begun(tmp_path: Path, use_stand_ins: UseStandIns) -> Path:
    """The folder of a run on digits with few and wrong labels."""
    use_stand_ins(short)
    trouble = ("--imbalance", "0.2", "--label-noise", "0.4", "--noise-kind", "pair", "--seed", "3")
    options = ("--losses", "baikal", "--seeds", "1", "--steps", "2", "--run-dir", str(tmp_path / "run"))
    assert main(["compare", *options, *trouble]) == 0
    return tmp_path / "run"


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return content


def test_the_trouble_is_recorded(begun: Path) -> None:
    config = read(begun)

    recorded = {name: config["options"][name] for name in ("imbalance", "label_noise", "noise_kind", "seed")}
    assert recorded == {"imbalance": 0.2, "label_noise": 0.4, "noise_kind": "pair", "seed": 3}
    dataset = SOURCE.load()
    assert config["resolved"]["dataset_fingerprint"] == dataset.fingerprint
    assert config["resolved"]["dataset_sizes"]["train"] == len(dataset.train)
    origin = config["resolved"]["dataset_origin"]
    assert origin.endswith("; training classes in the ratio 1 to 0.2; 40 % of the training labels wrong (pair)")


def test_a_run_goes_on_with_the_same_trouble_and_with_no_other(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = read(begun)
    (begun / "result.json").unlink()
    assert main(["resume", str(begun)]) == 0
    assert (begun / "result.json").is_file()
    assert read(begun) == config

    for changes in ({"label_noise": 0.3}, {"noise_kind": "symmetric"}, {"imbalance": 0.3}):
        changed = sealed(config | {"options": config["options"] | changes})
        (begun / "config.json").write_text(json.dumps(changed))
        assert main(["resume", str(begun)]) == 2
        assert "dataset_fingerprint was" in capsys.readouterr().err
