import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import platformdirs
import pytest
from rich.console import Console

from experiments import curves, train
from experiments.checkpoints import Progress, checkpoint_path, restore, save
from experiments.records import Records, reproducible
from experiments.runner import train_all
from experiments.trainings import Training
from glojax.datasets import load_dataset
from glojax.errors import ConfigurationError, DatasetError
from glojax.evaluation import set_up_jax, training_devices
from glojax.networks import NETWORKS
from glojax.training import Train, TrainState, make_train
from tests.linear_network import LinearNetwork

TRAINING = Training(
    loss="baikal", steps=1500, learning_rate=0.05, dataset="digits", evaluate_every=500, histogram_at=700
)

#: Saves after the first segment, and then waits to be killed.
PROCESS = """
import sys, time
from experiments import curves, script, train
from glojax.networks import NETWORKS
from tests.linear_network import LinearNetwork
NETWORKS["DigitsCNN"] = LinearNetwork
save = curves.save
def save_and_wait(*arguments):
    save(*arguments)
    time.sleep(60)
curves.CHECKPOINT_SECONDS, curves.save = 0, save_and_wait
script.start(lambda: train.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module", autouse=True)
def linear_network() -> Iterator[None]:
    """Instead of the network of the digits; it compiles fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "DigitsCNN", LinearNetwork)
        yield


def done(trainings: list[Training], folder: Path, devices: int = 1) -> list[dict[str, object]]:
    """Do trainings, and return the reproducible part of their records."""
    records = Records(folder)
    train_all(trainings, records, None, training_devices(devices), Console(quiet=True))
    return [reproducible(record) for _, record in sorted(records.trainings, key=lambda pair: pair[0].name)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    # Compiled here, loaded by the process.
    set_up_jax()
    return done([TRAINING], tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def checkpoint() -> Path:
    """The path of the training's state."""
    path = checkpoint_path(TRAINING, load_dataset("digits").fingerprint)
    assert path.is_relative_to(platformdirs.user_cache_path("glojax"))
    assert not path.exists()
    return path


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_record(
    tmp_path: Path, undisturbed: list[dict[str, object]], checkpoint: Path
) -> None:
    arguments = TRAINING.command.split()[3:]
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, *arguments, "--results", str(tmp_path), "--devices", "1"],
        stdout=subprocess.DEVNULL,
    )
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not list(tmp_path.rglob("*.json"))
    assert done([TRAINING], tmp_path) == undisturbed
    assert not checkpoint.exists()


def test_an_interrupted_training_is_saved_and_goes_on_to_the_same_record(
    tmp_path: Path,
    undisturbed: list[dict[str, object]],
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measure = curves._measure

    def interrupt(progresses: Mapping[Training, Progress], trainer: Train, state: TrainState) -> None:
        measure(progresses, trainer, state)
        if progresses[TRAINING].step == 500:
            os.kill(os.getpid(), signal.SIGINT)
            # On a busy machine the training could be at its end before the main thread handles the signal.
            time.sleep(2)

    command = [*TRAINING.command.split()[3:], "--results", str(tmp_path), "--devices", "1"]
    with monkeypatch.context() as patched:
        patched.setattr(curves, "_measure", interrupt)
        assert train.main(command) == 130
    assert capsys.readouterr().err == "stopped; the same command goes on from here\n"
    assert checkpoint.exists()
    assert not list(tmp_path.rglob("*.json"))
    assert done([TRAINING], tmp_path) == undisturbed


@pytest.mark.parametrize("evaluate_every", [10, None])
def test_the_outcome_of_a_training_does_not_depend_on_the_others(tmp_path: Path, evaluate_every: int | None) -> None:
    trainings = [
        replace(TRAINING, loss=loss, learning_rate=rate, steps=20, evaluate_every=evaluate_every, histogram_at=None)
        for loss, rate in (("baikal", 0.05), ("cross_entropy", 0.1), ("x * log(y - 1)", 0.05))
    ]
    together = done(trainings, tmp_path / "together", devices=2)
    alone = [record for each in trainings for record in done([each], tmp_path / each.name)]
    assert together == sorted(alone, key=lambda record: Training(**record["training"]).name)  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", ["baikal", "x * log(y - 1)"])
def test_a_curve_ends_with_the_accuracies_of_the_training_that_is_measured_once(tmp_path: Path, loss: str) -> None:
    curve = replace(TRAINING, loss=loss, seed=3, train_fraction=0.5, steps=70, evaluate_every=35, histogram_at=None)
    records = Records(tmp_path)
    for training in (curve, replace(curve, evaluate_every=None)):
        train_all([training], records, None, training_devices(1), Console(quiet=True))
    measured_twice, measured_once = (record["outcome"] for _, record in records.trainings)
    assert measured_twice["steps"] == [35, 70]
    assert measured_once["steps"] == [70]
    for field in ("validation", "test"):
        assert measured_twice[field][-1:] == measured_once[field]
    for field in ("finite", "num_steps"):
        assert measured_twice[field] == measured_once[field]


def test_a_training_that_breaks_off_counts_with_accuracy_0(tmp_path: Path) -> None:
    training = replace(TRAINING, loss="x * log(y - 1)", steps=20, evaluate_every=10, histogram_at=None)
    (record,) = done([training], tmp_path)
    assert record["outcome"] == {
        "steps": [10, 20],
        "validation": [0.0, 0.0],
        "test": [0.0, 0.0],
        "finite": False,
        "num_steps": 1,
        "histogram": None,
    }


def test_the_histogram_counts_every_probability(undisturbed: list[dict[str, object]]) -> None:
    outcome = undisturbed[0]["outcome"]
    assert isinstance(outcome, dict)
    assert outcome["histogram"]["step"] == 700
    assert sum(outcome["histogram"]["counts"]) == 360 * 10
    assert outcome["steps"] == [500, 1000, 1500]
    assert outcome["test"][-1] > 0.9


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (replace(TRAINING, dataset="digit"), DatasetError, "Unknown data set 'digit'"),
        (
            replace(TRAINING, loss="log(y)"),
            ConfigurationError,
            r"--loss is log\(y\); expected a loss that depends on both",
        ),
        (replace(TRAINING, train_fraction=0.01), ConfigurationError, "batch"),
    ],
)
def test_mistakes_are_reported_before_anything_is_trained(
    tmp_path: Path, mistake: Training, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train_all([TRAINING, mistake], Records(tmp_path), None, [], Console(quiet=True))


def test_a_checkpoint_that_cannot_be_read_is_no_checkpoint(tmp_path: Path) -> None:
    trainer = make_train(NETWORKS[TRAINING.network], load_dataset("digits"), TRAINING.config)
    key, device = jax.random.key(0), training_devices(1)[0]
    state = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), jax.eval_shape(trainer.begin, key))
    path = tmp_path / "state.npz"
    assert restore(path, trainer, key, device) is None
    save(path, state, Progress(step=7))
    restored = restore(path, trainer, key, device)
    assert restored is not None
    assert restored[1].step == 7
    for leaf, again in zip(jax.tree.leaves(state), jax.tree.leaves(restored[0]), strict=True):
        np.testing.assert_array_equal(leaf, again)
    larger = jax.tree.map(lambda leaf: np.ones((*leaf.shape, 2), leaf.dtype), state)
    for forged, step in ((larger, 7), (state, "7")):
        save(path, forged, Progress(step=step))  # type: ignore[arg-type]
        assert restore(path, trainer, key, device) is None
    save(path, state, Progress(step=7))
    os.truncate(path, path.stat().st_size // 2)
    assert restore(path, trainer, key, device) is None
