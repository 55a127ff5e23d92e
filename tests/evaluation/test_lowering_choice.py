import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import pytest

from glojax.datasets import load_dataset
from glojax.evaluation.lowering_choice import choices_path, chosen_lowering, remember_lowering
from glojax.training import Train, TrainingConfig, make_train
from tests.linear_network import LinearNetwork


class Accelerator:
    """Stands for one."""

    platform = "gpu"

    def __init__(self, device_kind: str = "NVIDIA H200", compute_capability: str | None = "9.0"):
        self.device_kind = device_kind
        self.compute_capability = compute_capability


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_train(LinearNetwork, load_dataset("digits"), TrainingConfig(20, batch_size=16, learning_rate=0.05))


def choose(train: Train, device: Any) -> str:
    return chosen_lowering(train, device)


@pytest.mark.parametrize(
    ("device", "lowering"),
    [
        (jax.devices("cpu")[0], "canonical"),
        (Accelerator(), "implicit"),
        (Accelerator("NVIDIA A100", "8.0"), "implicit"),
        (Accelerator("NVIDIA V100", "7.0"), "grouped"),
        (Accelerator("NVIDIA GeForce RTX 4090", "8.9"), "grouped"),
        (Accelerator("AMD MI300", "gfx942"), "grouped"),
        (Accelerator("TPU v6", None), "grouped"),
    ],
)
def test_the_model_knows_what_is_fastest_without_a_trial(train: Train, device: Any, lowering: str) -> None:
    assert choose(train, device) == lowering
    assert not choices_path().exists()


def test_what_is_remembered_comes_before_the_model(train: Train) -> None:
    device: Any = Accelerator()
    remember_lowering(train, device, "patches")
    assert choose(train, device) == "patches"
    assert choose(train, Accelerator("NVIDIA H100")) == "implicit"
    assert choose(replace(train, config=replace(train.config, batch_size=8)), device) == "implicit"
    remember_lowering(train, device, "grouped")
    assert choose(train, device) == "grouped"
    assert len(json.loads(choices_path().read_text())) == 1


@pytest.mark.parametrize("content", ["", "[]", '{"Stand-in', "[" * 100_000, "\0" * 2**25])
def test_a_damaged_memory_is_written_anew(train: Train, content: str) -> None:
    device: Any = Accelerator()
    choices_path().parent.mkdir(parents=True)
    choices_path().write_text(content)
    assert choose(train, device) == "implicit"
    remember_lowering(train, device, "mapped")
    assert list(json.loads(choices_path().read_text()).values()) == ["mapped"]
    assert [path.name for path in choices_path().parent.iterdir()] == [choices_path().name]


def test_where_nothing_can_be_written_the_model_goes_on_choosing(train: Train, tmp_path: Path) -> None:
    device: Any = Accelerator()
    (tmp_path / "cache").write_text("no folder")
    remember_lowering(train, device, "mapped")
    assert choose(train, device) == "implicit"
