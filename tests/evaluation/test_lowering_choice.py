import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import pytest

from glojax.datasets import load_dataset
from glojax.evaluation import lowering_choice
from glojax.evaluation.lowering_choice import CHOICES, choices_path, fastest_lowering
from glojax.training import Train, TrainingConfig, make_train
from tests.linear_network import LinearNetwork


class Accelerator:
    """Stands for one, and is a CPU underneath."""

    platform = "gpu"
    device_kind = "Stand-in 1"


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lowering_choice, "STEPS", 2)
    cpu = jax.devices("cpu")[0]
    trial = lowering_choice._seconds
    monkeypatch.setattr(lowering_choice, "_seconds", lambda train, device: trial(train, cpu))
    return make_train(LinearNetwork, load_dataset("digits"), TrainingConfig(20, batch_size=16, learning_rate=0.05))


def choose(train: Train, device: Any) -> str:
    return fastest_lowering(train, device)


def test_on_a_cpu_there_is_nothing_to_choose(train: Train) -> None:
    assert fastest_lowering(train, jax.devices("cpu")[0]) == "canonical"
    assert not choices_path().exists()


def test_the_choice_is_measured_said_and_remembered(
    train: Train, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "glojax"):
        choice = choose(train, Accelerator())
    assert choice in CHOICES
    assert f"convolutions {choice}" in caplog.text
    assert all(f"{lowering} " in caplog.text for lowering in CHOICES)
    assert set(json.loads(choices_path().read_text()).values()) == {choice}
    monkeypatch.setattr(lowering_choice, "_seconds", None)
    assert choose(train, Accelerator()) == choice


@pytest.mark.parametrize("seconds", [(1.0, 2.0, 3.0), (2.0, 1.0, 3.0), (3.0, float("inf"), 1.0)])
def test_the_fastest_is_taken(
    train: Train, monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, float, float]
) -> None:
    times = dict(zip(CHOICES, seconds, strict=True))
    monkeypatch.setattr(lowering_choice, "_seconds", lambda train, device: times[train.conv_lowering])
    assert choose(train, Accelerator()) == min(times, key=lambda lowering: times[lowering])


def test_what_could_not_be_run_is_tried_again(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"grouped": 2.0, "patches": float("inf"), "mapped": 3.0}
    monkeypatch.setattr(lowering_choice, "_seconds", lambda train, device: times[train.conv_lowering])
    assert choose(train, Accelerator()) == "grouped"
    times["patches"] = 1.0
    assert choose(train, Accelerator()) == "patches"


def test_a_training_that_is_evaluated_on_the_test_set_alone_has_its_trial_too(train: Train) -> None:
    on_test = make_train(train.network, load_dataset("digits"), replace(train.config, splits=("test",)))
    assert 0 < lowering_choice._seconds(replace(on_test, conv_lowering="grouped"), jax.devices("cpu")[0]) < 60


def test_each_device_kind_shape_and_batch_size_has_its_own(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering_choice, "_seconds", lambda train, device: 1.0)
    other = Accelerator()
    other.device_kind = "Stand-in 2"
    for trained, device in ((train, Accelerator()), (train, other), (train, other)):
        choose(trained, device)
    choose(replace(train, config=replace(train.config, batch_size=8)), other)
    assert len(json.loads(choices_path().read_text())) == 3


@pytest.mark.parametrize("content", ["", "[]", '{"Stand-in', "[" * 100_000, "\0" * 2**25])
def test_a_damaged_memory_is_written_anew(train: Train, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setattr(lowering_choice, "_seconds", lambda train, device: 1.0)
    choices_path().parent.mkdir(parents=True)
    choices_path().write_text(content)
    choice = choose(train, Accelerator())
    assert list(json.loads(choices_path().read_text()).values()) == [choice]
    assert [path.name for path in choices_path().parent.iterdir()] == [choices_path().name]


def test_where_nothing_can_be_written_the_choice_is_made_all_the_same(
    train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lowering_choice, "_seconds", lambda train, device: 1.0)
    (tmp_path / "cache").write_text("no folder")
    assert choose(train, Accelerator()) in CHOICES
