"""Workers that are refused, replaced, and reported on."""

import logging
import os
import re
import signal
import threading
import time

import dask
import pytest
from rich.console import Console

from glojax.cluster import worker_pool, worker_tasks
from glojax.cluster.cluster_pool import ClusterPool
from glojax.cluster.worker import Outcome
from glojax.cluster.worker_pool import WorkerPool
from glojax.datasets import Dataset, DatasetSource
from glojax.errors import ClusterError
from glojax.evaluation import Training, decisive_versions
from glojax.expressions import LossTree
from glojax.networks import DigitsCNN
from glojax.search.execution import WorkersOptions, print_workers
from tests.cluster.conftest import SHORT, MakePool, MakeTrainings, trained
from tests.compilation import FLAGS

TREE = LossTree.parse("x * log(y)")


def lacks_memory() -> str:
    raise MemoryError


def freeze_soon() -> str:
    """End well, and stop this process right after that."""
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGSTOP)).start()
    return "done"


@pytest.mark.usefixtures("workers")
def test_a_handler_of_the_user_hears_what_others_log(users_handler: logging.Handler) -> None:
    assert users_handler.level == logging.NOTSET


def wait_forever(pool: ClusterPool) -> None:
    while True:
        pool.wait()


def addresses(workers: WorkerPool) -> list[str]:
    return [worker.address for worker in workers.workers]


def test_workers_with_other_versions_are_refused(workers: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = decisive_versions()
    monkeypatch.setattr(worker_tasks, "decisive_versions", lambda: versions | {"glojax_code": "other"})
    monkeypatch.setattr(worker_pool, "PATIENCE_SECONDS", 1.0)
    expected = f"No worker of 2 can be used (.*: glojax_code is '{versions['glojax_code']}' and not 'other')."
    with pytest.raises(ClusterError, match=re.escape(expected).replace(r"\.\*", ".*")):
        WorkerPool(workers._client, 1).wait_for_workers(1)


def test_workers_with_other_settings_than_the_head_are_refused(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    complaint = f"XLA_FLAGS is '{FLAGS}' and not '--xla_cpu_enable_fast_math=true'"
    with pytest.raises(ClusterError, match=rf"No worker of 2 can be used \(.*: {complaint}\)"):
        WorkerPool(workers._client, 1).wait_for_workers(1)


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [("tcp://192.0.2.1:4000", True), ("tcp://host:4000", True), ("tls://192.0.2.1:4000", False)],
)
def test_a_worker_that_is_reached_unencrypted_gets_nothing(
    workers: WorkerPool, address: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[str] = []
    monkeypatch.setattr(workers._client, "nthreads", lambda **options: {address: 1})
    monkeypatch.setattr(WorkerPool, "assign", lambda pool, worker, *task, **options: tasks.append(worker.address))
    monkeypatch.setattr(worker_pool, "PATIENCE_SECONDS", 0.0)
    pool = WorkerPool(workers._client, is_shared=True)
    if is_refused:
        expected = f"No worker of 1 can be used ({address}: messages to it would leave this machine unencrypted)."
        with pytest.raises(ClusterError, match=re.escape(expected)):
            pool.wait_for_workers(1)
        WorkerPool(workers._client, allow_exposed=True).wait()
    else:
        pool.wait()
    assert tasks == [address]


def test_a_cluster_whose_workers_end_before_they_can_train_is_given_up(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(WorkerPool, "assign", lambda pool, worker, *task, **options: None)
    present = [{f"tcp://127.0.0.1:{port}": 1} if port % 2 else {} for port in range(1, 7)]
    monkeypatch.setattr(workers._client, "nthreads", lambda **options: present.pop(0))
    pool = WorkerPool(workers._client)
    with pytest.raises(ClusterError, match=r"^3 workers ended before they could train"):
        pool.wait_for_workers(1)
    assert present == []


@pytest.mark.slow
def test_a_worker_that_dask_gives_up_is_replaced(workers: WorkerPool) -> None:
    workers.wait_for_workers(2)
    killed, process = next((name, report["pid"]) for name, report in workers.reports()[0].items() if report)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "0s"}):
        os.kill(process, signal.SIGKILL)
        while killed in addresses(workers):
            workers.wait()
        workers.wait_for_workers(2)
    assert process not in [report["pid"] for report in workers.reports()[0].values() if report]


@pytest.mark.slow
def test_a_worker_that_froze_while_it_was_idle_is_replaced(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr(worker_pool, "RESPONSE_SECONDS", 3.0)
    workers.wait_for_workers(2)
    own = WorkerPool(workers._client, 1)
    own.wait_for_workers(2)
    frozen, other = [worker.address for worker in own.workers]
    report = own.reports()[0][frozen]
    assert report is not None
    os.kill(report["pid"], signal.SIGSTOP)
    while frozen in addresses(own):
        own.wait()
    assert own.reports()[1][-1]["what"] == "silent"
    own.wait_for_workers(2)
    assert other in addresses(own)
    while frozen in addresses(workers):
        workers.wait()


@pytest.mark.slow
def test_a_worker_that_froze_before_its_result_was_fetched_is_late(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "_FETCH_SECONDS", 0.5)
    monkeypatch.setattr(worker_pool, "_UNFETCHED_SECONDS", 1.0)
    workers.wait_for_workers(2)
    frozen = next(worker for worker in workers.workers if worker.is_idle)
    workers.assign(frozen, 60.0, freeze_soon)
    time.sleep(1)
    outcomes: list[Outcome] = []
    while not outcomes:
        outcomes = workers.wait()
    assert outcomes == [Outcome(frozen, None, None)]
    assert workers.reports()[1][-1]["what"] == "late"
    workers.wait_for_workers(2)


def test_no_worker_is_late_while_the_head_is_busy(workers: WorkerPool) -> None:
    workers.wait_for_workers(2)
    worker = next(worker for worker in workers.workers if worker.is_idle)
    workers.assign(worker, 2.0, str.upper, "done")
    time.sleep(3)
    outcomes: list[Outcome] = []
    while not outcomes:
        outcomes = workers.wait()
    assert [(outcome.worker, outcome.text) for outcome in outcomes] == [(worker, "DONE")]


def test_a_worker_that_is_busy_for_another_client_is_waited_for(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr(worker_pool, "RESPONSE_SECONDS", 0.5)
    workers.wait_for_workers(2)
    ours = WorkerPool(workers._client, 1, is_shared=True)
    ours.wait_for_workers(2)
    busy, other = addresses(ours)
    work = workers._client.submit(time.sleep, 3, workers=[busy])
    while not work.done():
        ours.wait()
        assert addresses(ours) == [busy, other]
    while not all(worker.is_idle for worker in ours.workers):
        ours.wait()
    assert addresses(ours) == [busy, other]


@pytest.mark.slow
def test_a_worker_without_memory_is_ended_and_replaced(workers: WorkerPool) -> None:
    workers.wait_for_workers(2)
    poor = next(worker for worker in workers.workers if worker.is_idle)
    workers.assign(poor, 60.0, lacks_memory)
    outcomes: list[Outcome] = []
    while not outcomes:
        outcomes = workers.wait()
    (outcome,) = outcomes
    assert (outcome.worker, outcome.text, type(outcome.error)) == (poor, None, MemoryError)
    workers.wait_for_workers(2)
    assert poor.address not in [worker.address for worker in workers.workers]
    assert sorted(worker.index for worker in workers.workers) == [0, 1]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (DatasetSource("/nowhere/data.npz"), "/nowhere/data.npz cannot be read"),
        (DatasetSource("digits", train_fraction=0.5), "is another than that of the run: bring the same files there"),
    ],
)
def test_workers_without_the_data_set_are_refused(
    workers: WorkerPool, digits: Dataset, source: DatasetSource, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "PATIENCE_SECONDS", 1.0)
    pool = ClusterPool(DigitsCNN, source, digits, WorkerPool(workers._client, 1))
    pool.submit(SHORT, [Training("0" * 16, TREE, seed, 0.05) for seed in (0, 1)])
    with pytest.raises(ClusterError, match=rf"No worker of 2 can be used \(.*{complaint}"):
        wait_forever(pool)


def test_workers_that_compute_something_else_are_refused(
    workers: WorkerPool, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "PATIENCE_SECONDS", 1.0)
    pool = ClusterPool(DigitsCNN, DatasetSource("digits"), digits, WorkerPool(workers._client, 1))
    pool.submit(SHORT, [Training("0" * 16, TREE, seed, 0.05) for seed in (0, 1)])
    complaint = "The network on .* computes something else than on the head"
    with pytest.raises(ClusterError, match=rf"No worker of 2 can be used \(.*{complaint}"):
        wait_forever(pool)


def test_the_workers_command_shows_the_counts_of_each_worker(
    workers: WorkerPool, make_pool: MakePool, make_trainings: MakeTrainings
) -> None:
    trained(make_pool(), SHORT, make_trainings(SHORT, [TREE], [0, 1]))
    address = workers.address
    console = Console(width=200, record=True)
    print_workers(WorkersOptions(cluster=address), console)
    shown = console.export_text()
    trainings = [int(number) for number in re.findall(r"cpu 0 +[\d,]+ +\d+ +(\d+) +\d+ *$", shown, re.MULTILINE)]
    assert len(trainings) == 2
    assert sum(trainings) >= 2
    assert re.search(r"^2 workers; lost, late or refused: \d+\.$", shown, re.MULTILINE)
