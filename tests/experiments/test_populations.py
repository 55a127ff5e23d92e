"""Curves that are trained side by side, as on an accelerator, here on a CPU."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh
from rich.console import Console

from experiments import curves, populations
from experiments.checkpoints import Progress, checkpoint_path, save
from experiments.populations import populations_of, size_on
from experiments.records import Records
from experiments.runner import train_all
from experiments.trainings import Training
from glojax.datasets import load_dataset
from glojax.evaluation import training_devices
from glojax.networks import NETWORKS, DigitsCNN, default_lowering
from glojax.training import Train, TrainState
from tests.linear_network import LinearNetwork

pytestmark = pytest.mark.usefixtures("linear_network")

DIGITS = load_dataset("digits")
WIDTH = 4

CURVE = Training(loss="baikal", steps=60, learning_rate=0.05, dataset="digits", evaluate_every=20, histogram_at=30)
#: Losses, seeds and rates differ; the second one fails at once.
MIXED = [
    replace(CURVE, loss=loss, seed=seed, learning_rate=rate)
    for loss, seed, rate in [
        ("baikal", 0, 0.05),
        ("x * log(y - 1)", 0, 0.05),
        ("cross_entropy", 1, 0.1),
        ("baikal", 2, 0.01),
        ("x * sqrt(y)", 0, 0.05),
        ("cross_entropy", 1, 0.05),
        ("baikal_cma", 3, 0.02),
    ]
]


@pytest.fixture
def side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device trains four at once."""
    monkeypatch.setattr(populations, "size_on", lambda device, train: WIDTH)


def outcomes(trainings: list[Training], folder: Path) -> dict[Training, dict[str, Any]]:
    """Do trainings on one device, and return their outcomes."""
    records = Records(folder)
    train_all(records.missing(trainings), records, None, training_devices(1), Console(quiet=True))
    found = {training: record["outcome"] for training, record in records.trainings}
    return {training: found[training] for training in trainings}


def recorded_starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that takes the first step of each segment from now on."""
    advance, starts = curves._advance, []

    def recorded(*arguments: Any) -> TrainState:
        starts.append(arguments[5])
        after: TrainState = advance(*arguments)
        return after

    monkeypatch.setattr(curves, "_advance", recorded)
    return starts


def require_close(found: Mapping[Training, dict[str, Any]], expected: Mapping[Training, dict[str, Any]]) -> None:
    """Require equal outcomes, up to an image whose class turns on the rounding."""
    for training, outcome in expected.items():
        other = found[training]
        assert [other[name] for name in ("steps", "finite", "num_steps")] == [
            outcome[name] for name in ("steps", "finite", "num_steps")
        ]
        for split in ("validation", "test"):
            np.testing.assert_allclose(other[split], outcome[split], atol=1.1 / 360)
        assert other["histogram"]["step"] == outcome["histogram"]["step"]
        if outcome["finite"]:
            moved = np.subtract(other["histogram"]["counts"], outcome["histogram"]["counts"])
            assert np.abs(moved).sum() <= 10


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[Training, dict[str, Any]]:
    """The outcomes of trainings one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "DigitsCNN", LinearNetwork)
        return outcomes(MIXED, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[Training, dict[str, Any]]:
    """The outcomes of the same trainings side by side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "DigitsCNN", LinearNetwork)
        patch.setattr(populations, "size_on", lambda device, train: WIDTH)
        return outcomes(MIXED, tmp_path_factory.mktemp("together"))


def test_each_training_of_a_population_has_its_own_curve(
    alone: dict[Training, dict[str, Any]], together: dict[Training, dict[str, Any]]
) -> None:
    require_close(together, alone)
    assert not together[MIXED[1]]["finite"]
    assert together[MIXED[1]]["num_steps"] == 1
    assert len({str(outcome["histogram"]) for outcome in together.values()}) == len(MIXED)


@pytest.mark.usefixtures("side_by_side")
def test_a_population_that_was_stopped_goes_on_to_the_same_outcomes(
    tmp_path: Path, together: dict[Training, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = curves._measure

    def interrupt(progresses: Mapping[Training, Progress], train: Train, state: TrainState) -> None:
        measure(progresses, train, state)
        if progresses[next(iter(progresses))].step == 30:
            os.kill(os.getpid(), signal.SIGINT)
            # On a busy machine the training could be at its end before the main thread handles the signal.
            time.sleep(2)

    with monkeypatch.context() as patched:
        patched.setattr(curves, "_measure", interrupt)
        with pytest.raises(KeyboardInterrupt):
            outcomes(MIXED, tmp_path)
    first = [checkpoint_path(training, DIGITS.fingerprint) for training in MIXED[:WIDTH]]
    assert all(path.exists() for path in first)
    assert not list(tmp_path.rglob("*.json"))
    starts = recorded_starts(monkeypatch)
    assert outcomes(MIXED, tmp_path) == together
    assert starts[0] == 30
    assert not any(path.exists() for path in first)


@pytest.mark.usefixtures("side_by_side")
def test_trainings_that_were_saved_after_different_steps_go_on_from_there(
    tmp_path: Path, alone: dict[Training, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[Path] = []

    def save_then_die(path: Path, state: TrainState, progress: Progress) -> None:
        save(path, state, progress)
        saved.append(path)
        if progress.step == 30 and len(saved) % WIDTH == 2:
            raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(curves, "CHECKPOINT_SECONDS", 0)
        patched.setattr(curves, "save", save_then_die)
        with pytest.raises(OSError, match="killed"):
            outcomes(MIXED[:WIDTH], tmp_path)
    starts = recorded_starts(monkeypatch)
    require_close(outcomes(MIXED[:WIDTH], tmp_path), {training: alone[training] for training in MIXED[:WIDTH]})
    assert sorted(starts) == [20, 30, 30, 40, 40]


@pytest.mark.usefixtures("side_by_side")
def test_a_device_without_memory_for_all_trains_fewer_at_once(
    tmp_path: Path, alone: dict[Training, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, widths = curves._advance, []

    def scarce(train: Train, state: TrainState, *others: Any) -> TrainState:
        widths.append(state.finite.size)
        if state.finite.size > 2:
            jnp.zeros(2**46, jnp.float32).block_until_ready()
        after: TrainState = advance(train, state, *others)
        return after

    monkeypatch.setattr(curves, "_advance", scarce)
    require_close(outcomes(MIXED[:WIDTH], tmp_path), {training: alone[training] for training in MIXED[:WIDTH]})
    assert widths == [WIDTH, *[2] * 8]


def test_a_device_too_small_for_our_kernels_takes_the_library_s(
    tmp_path: Path, alone: dict[Training, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, remembered = curves._advance, []

    def small(train: Train, *others: Any) -> TrainState:
        if train.conv_lowering == "implicit":
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Shared memory size limit exceeded: requested 9")
        after: TrainState = advance(train, *others)
        return after

    monkeypatch.setattr(curves, "_advance", small)
    monkeypatch.setattr(populations, "chosen_lowering", lambda train, device: "implicit")
    monkeypatch.setattr(curves, "remember_lowering", lambda train, device, choice: remembered.append(choice))
    require_close(outcomes(MIXED[:1], tmp_path), {MIXED[0]: alone[MIXED[0]]})
    assert remembered == ["grouped"]


@pytest.mark.usefixtures("side_by_side")
@pytest.mark.parametrize(("num_devices", "sizes"), [(1, [4, 3]), (3, [3, 3, 1]), (4, [2, 2, 2, 1]), (9, [1] * 7)])
def test_populations_have_equal_sizes_and_occupy_all_devices(num_devices: int, sizes: list[int]) -> None:
    devices = [jax.devices("cpu")[0]] * num_devices
    found = populations_of(dict.fromkeys(MIXED, DIGITS), devices)
    assert [len(population.trainings) for population in found] == sizes
    assert [training for population in found for training in population.trainings] == MIXED


@pytest.mark.usefixtures("side_by_side")
def test_trainings_of_another_kind_are_another_population() -> None:
    second = replace(CURVE, seed=2)
    others = [
        replace(CURVE, seed=1, evaluate_every=10),
        replace(CURVE, seed=1, histogram_at=None),
        replace(CURVE, seed=1, steps=80),
        replace(CURVE, seed=1, class_reduction="mean"),
    ]
    found = populations_of(dict.fromkeys([CURVE, *others, second], DIGITS), training_devices(1))
    assert [population.trainings for population in found] == [
        [CURVE, replace(CURVE, seed=2)],
        *([one] for one in others),
    ]


def test_on_a_cpu_each_training_is_alone() -> None:
    found = populations_of(dict.fromkeys(MIXED, DIGITS), training_devices(1))
    assert [population.trainings for population in found] == [[training] for training in MIXED]
    assert {population.train.conv_lowering for population in found} == {"canonical"}


def test_on_a_large_gpu_the_convolutions_of_a_population_are_kernels_of_our_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu: Any = SimpleNamespace(platform="gpu", device_kind="NVIDIA H200", compute_capability="9.0")
    monkeypatch.setitem(NETWORKS, "DigitsCNN", DigitsCNN)
    monkeypatch.setattr(populations, "size_on", lambda device, train: WIDTH)
    monkeypatch.setattr(populations, "chosen_lowering", lambda train, device: default_lowering(gpu))
    (population,) = populations_of(dict.fromkeys(MIXED[:WIDTH], DIGITS), training_devices(1))
    assert size_on(gpu, population.train) >= 64
    programs, keys, rates = curves._arguments(population.train, population.trainings)
    state = jax.eval_shape(population.train.begin, keys)
    with use_abstract_mesh(AbstractMesh((1,), ("device",), abstract_device=AbstractDevice("NVIDIA H200", 132, "cuda"))):
        traced = curves._advance.trace(population.train, state, programs, keys, rates, np.int32(0), np.int32(2))
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "xla.gpu.triton" in text
