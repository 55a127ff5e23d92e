import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import platformdirs
import pytest
from rich.console import Console

from experiments import train
from experiments.checkpoints import Progress, checkpoint_path, restore, save
from experiments.progress import TrainingsDisplay
from experiments.records import Records, reproducible
from experiments.runner import train_all
from experiments.trainings import Training
from glojax.datasets import load_dataset
from glojax.errors import DatasetError
from glojax.evaluation import keep_compiled_programs, training_devices

TRAINING = Training(
    loss="baikal", steps=1500, learning_rate=0.05, dataset="digits", evaluate_every=500, histogram_at=700
)

#: Saves after each segment, so that there is something to go on with whenever it is killed.
PROCESS = """
import sys
from experiments import runner, script, train
runner.CHECKPOINT_SECONDS = 0
script.start(lambda: train.main(sys.argv[1:]))
"""


def done(trainings: list[Training], folder: Path, devices: int = 1) -> list[dict[str, object]]:
    """The reproducible part of the records of trainings done here."""
    records = Records(folder)
    train_all(trainings, records, None, training_devices(devices), Console(quiet=True))
    return [reproducible(record) for _, record in sorted(records.trainings, key=lambda pair: pair[0].name)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    # Compiled here, loaded by the process.
    keep_compiled_programs()
    return done([TRAINING], tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def checkpoint() -> Path:
    """Where the training's state is kept."""
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
    interrupted = threading.Event()

    def interrupt(*arguments: object, **options: object) -> None:
        # Once: a second interruption would stop the saving, too.
        if not interrupted.is_set():
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)
            # On a busy machine the training could be at its end before the main thread is told.
            time.sleep(2)

    command = [*TRAINING.command.split()[3:], "--results", str(tmp_path), "--devices", "1"]
    with monkeypatch.context() as patched:
        patched.setattr(TrainingsDisplay, "on_steps", interrupt)
        assert train.main(command) == 130
    assert capsys.readouterr().err == "stopped; the same command goes on from here\n"
    assert checkpoint.exists()
    assert not list(tmp_path.rglob("*.json"))
    assert done([TRAINING], tmp_path) == undisturbed


def test_what_comes_of_a_training_does_not_depend_on_the_others(tmp_path: Path) -> None:
    trainings = [
        replace(TRAINING, loss=loss, learning_rate=rate, steps=20, evaluate_every=10, histogram_at=None)
        for loss, rate in (("baikal", 0.05), ("cross_entropy", 0.1), ("x * log(y - 1)", 0.05))
    ]
    together = done(trainings, tmp_path / "together", devices=2)
    alone = [record for each in trainings for record in done([each], tmp_path / each.name)]
    assert together == sorted(alone, key=lambda record: Training(**record["training"]).name)  # type: ignore[arg-type]


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
    assert outcome["test"][-1] > 0.95


def test_mistakes_come_out_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Unknown data set 'digit'"):
        train_all([TRAINING, replace(TRAINING, dataset="digit")], Records(tmp_path), None, [], Console(quiet=True))
    assert threading.active_count() < 50


def test_a_checkpoint_that_cannot_be_read_is_no_checkpoint(tmp_path: Path) -> None:
    trainer = TRAINING.make_train(load_dataset("digits"))
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
    os.truncate(path, path.stat().st_size // 2)
    assert restore(path, trainer, key, device) is None
