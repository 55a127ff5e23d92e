"""Trainings of a small network on pools of devices."""

import threading
from typing import Any

import numpy as np
import pytest

from glojax.evaluation import DevicePool, Trained, Training, device_pool
from glojax.evaluation.block_training import train_block
from glojax.expressions import LossTree
from glojax.training import TrainingConfig, TrainResult

CONFIG = TrainingConfig(20, batch_size=64, learning_rate=0.05)
LOSSES = ["x * log(y)", "x / (y - y)", "log(y) - x / y", "x * y", "log(x) + y", "x * sqrt(y) - y^2", "x - y"]
TRAININGS = [
    Training("context", LossTree.parse(text), seed, 0.05)
    for text, seed in zip(LOSSES, [0, 0, 0, 0, 1, 2, 3], strict=True)
]


def train(
    pool: DevicePool, trainings: list[Training] = TRAININGS, config: TrainingConfig = CONFIG
) -> list[TrainResult]:
    """Return the results in the order of the trainings, each of which comes once."""
    pool.submit(config, trainings)
    done: list[Trained] = []
    while len(done) < len(trainings):
        done += pool.wait()
    assert len(dict(done)) == len(done)
    return [dict(done)[training] for training in trainings]


def as_text(results: list[TrainResult]) -> list[str]:
    """Return results to the last bit."""
    return [f"{np.asarray(result.scores['validation']).tobytes()!r} {result}" for result in results]


class SlowDevices:
    """Devices that train only while they are let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.started = threading.Semaphore(0)
        self.may_go_on = threading.Event()
        self.sizes: list[int] = []
        self._train_block = train_block
        monkeypatch.setattr(device_pool, "train_block", self._wait_and_train)

    def _wait_and_train(self, *arguments: Any) -> None:
        self.sizes.append(len(arguments[2]))
        self.started.release()
        assert self.may_go_on.wait(60)
        self._train_block(*arguments)
