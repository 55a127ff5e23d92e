"""Trainings on real worker processes, some of which are killed or frozen."""

import os
import signal
import time
from pathlib import Path

import optax
import pytest

from glojax.cluster.settings import ClusterProgress, Limits
from glojax.cluster.worker_pool import WorkerPool
from glojax.cpu_devices import cpu_device
from glojax.datasets import Dataset
from glojax.errors import ClusterError, ConfigurationError
from glojax.evaluation import DevicePool, Training
from glojax.expressions import LossTree
from glojax.search.named_network import find_network
from glojax.training import TrainingConfig, TrainResult
from tests.cluster.conftest import LONG, SHORT, MakePool, MakeTrainings, trained
from tests.cluster.networks import FragileNetwork

TREES = [LossTree.parse(text) for text in ("x * log(y)", "log(y) - x / y", "x * sqrt(y)", "x / (y - y)")]


class Disturbance:
    """Sends a signal to the first worker that has a shard, once the speed of each is known; for `on_progress`."""

    def __init__(self, workers: WorkerPool, signal_number: int):
        self._workers, self._signal = workers, signal_number
        self._before = self._shards()
        self.process: int | None = None
        self.progress = ClusterProgress(0, 0, 0)

    def __call__(self, progress: ClusterProgress) -> None:
        self.progress = progress
        busy = [worker.address for worker in self._workers.workers if worker.has_shard]
        if self.process is None and busy:
            done = self._shards()
            # A worker compiles during its first shard, and its speed is measured during the second one.
            if all(done[address] >= number + 2 for address, number in self._before.items()):
                report = self._workers.reports()[0][busy[0]]
                assert report is not None
                self.process = report["pid"]
                os.kill(report["pid"], self._signal)

    def _shards(self) -> dict[str, int]:
        return {address: report["shards"] for address, report in self._workers.reports()[0].items() if report}


def failures(workers: WorkerPool) -> list[str]:
    return [failure["what"] for failure in workers.reports()[1]]


def test_a_pool_does_trainings_of_several_configurations(make_pool: MakePool, make_trainings: MakeTrainings) -> None:
    pool = make_pool()
    rows = trained(pool, SHORT, make_trainings(SHORT, TREES, [0, 1]))
    assert [steps for _, _, steps in rows] == [3] * 6 + [1] * 2
    assert [finite for _, finite, _ in rows] == [True] * 6 + [False] * 2
    assert len({accuracy for accuracy, finite, _ in rows if finite}) > 2
    comparison = TrainingConfig(2, 64, 0.05, splits=("validation", "test"))
    short, others = make_trainings(SHORT, TREES[:2]), make_trainings(comparison, TREES[:1], [0, 1])
    pool.submit(SHORT, short)
    pool.submit(comparison, others)
    results: dict[Training, TrainResult] = {}
    while len(results) < 4:
        results.update(pool.wait())
    ends = {training: (set(result.scores), int(result.num_steps)) for training, result in results.items()}
    assert [ends[training] for training in short] == [({"validation"}, 3)] * 2
    assert [ends[training] for training in others] == [({"validation", "test"}, 2)] * 2


def test_there_is_room_for_one_training_on_each_idle_device(make_pool: MakePool, make_trainings: MakeTrainings) -> None:
    pool, trainings = make_pool(), make_trainings(SHORT, TREES[:2])
    assert pool.room(SHORT) == 2
    pool.submit(SHORT, trainings[:1])
    assert pool.room(SHORT) == 1
    pool.submit(SHORT, trainings)
    assert pool.room(SHORT) == 0
    pool.cancel()
    assert pool.room(SHORT) == 2


def test_cancel_gives_the_results_of_trainings_that_have_begun(
    make_pool: MakePool, make_trainings: MakeTrainings
) -> None:
    pool, trainings = make_pool(), make_trainings(LONG, TREES[:3], range(4))
    expected = trained(make_pool(), LONG, trainings)
    pool.submit(LONG, trainings)
    results = [*pool.wait(), *pool.cancel()]
    # Each worker has begun one; on a busy machine it may have ended and begun another by then.
    assert set(trainings[:2]) <= {training for training, _ in results} < set(trainings)
    for training, result in results:
        assert float(result.scores["validation"]) == expected[trainings.index(training)][0]
    begin = time.monotonic()
    assert pool.cancel() == []
    assert time.monotonic() - begin < 1


@pytest.mark.slow
def test_a_killed_worker_costs_no_training(
    make_pool: MakePool, make_trainings: MakeTrainings, workers: WorkerPool
) -> None:
    trainings = make_trainings(LONG, TREES[:2], range(6))
    expected = trained(make_pool(), LONG, trainings)
    before, kill = failures(workers), Disturbance(workers, signal.SIGKILL)
    assert trained(make_pool(on_progress=kill), LONG, trainings) == expected
    assert kill.progress.retries == 1
    assert failures(workers) == [*before, "lost"]


@pytest.mark.slow
def test_a_frozen_worker_is_late_and_replaced(
    make_pool: MakePool, make_trainings: MakeTrainings, workers: WorkerPool
) -> None:
    trainings = make_trainings(LONG, TREES[:2], range(6))
    expected = trained(make_pool(), LONG, trainings)
    before, freeze = failures(workers), Disturbance(workers, signal.SIGSTOP)
    assert trained(make_pool(limits=Limits(slack_seconds=5), on_progress=freeze), LONG, trainings) == expected
    assert failures(workers) == [*before, "late"]
    workers.wait_for_workers(2)
    assert freeze.process is not None
    with pytest.raises(ProcessLookupError):
        os.kill(freeze.process, 0)


@pytest.mark.slow
def test_a_training_that_ends_its_workers_is_isolated_and_counts_as_crashed(
    make_pool: MakePool, make_trainings: MakeTrainings
) -> None:
    retries: list[int] = []
    pool = make_pool(FragileNetwork, on_progress=lambda progress: retries.append(progress.retries))
    good, fatal = (make_trainings(SHORT, TREES[:1], [0], rate, FragileNetwork) for rate in (0.05, 1e30))
    others = make_trainings(SHORT, TREES[1:3], [0], 0.05, FragileNetwork)
    results = trained(pool, SHORT, [*good, *fatal, *others])
    assert results[1] == (0.0, False, 0)
    assert [steps for _, _, steps in results] == [3, 0, 3, 3]
    # First with another training, if at all; then alone on three workers.
    assert retries[-1] in (3, 4)


@pytest.mark.slow
def test_no_training_counts_as_crashed_if_none_has_succeeded(
    make_pool: MakePool, make_trainings: MakeTrainings
) -> None:
    config = TrainingConfig(num_steps=2000, batch_size=64, learning_rate=0.05)
    pool = make_pool(limits=Limits(first_seconds=1e-9))
    with pytest.raises(ClusterError, match=r"No training has been done, and x \* log\(y\) has ended 3 workers"):
        trained(pool, config, make_trainings(config, TREES[:1]))


LINEN = """
from flax import linen
from glojax.networks import with_output


class Pair(linen.Module):
    @linen.compact
    def __call__(self, images):
        logits = linen.Dense(10, kernel_init=linen.initializers.zeros)(images.reshape(len(images), -1))
        return logits, images


network = with_output(Pair(), lambda outputs: outputs[0])
"""


def test_a_linen_module_of_a_file_trains_on_workers_as_here(
    make_pool: MakePool, make_trainings: MakeTrainings, digits: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(LINEN)
    network = find_network(f"{tmp_path}/own.py:network")
    trainings = make_trainings(SHORT, TREES[:1], network=network)
    expected = DevicePool(network, digits, devices=[cpu_device(0)], conv_lowering="canonical")
    assert trained(make_pool(network), SHORT, trainings) == trained(expected, SHORT, trainings)


def test_an_optimizer_that_workers_cannot_import_is_refused(make_pool: MakePool, make_trainings: MakeTrainings) -> None:
    config = TrainingConfig(3, 64, 0.05, optimizer=lambda rate: optax.sgd(rate, momentum=0.5))
    with pytest.raises(ConfigurationError, match="give a function of a module"):
        make_pool().submit(config, make_trainings(SHORT, TREES[:1]))
