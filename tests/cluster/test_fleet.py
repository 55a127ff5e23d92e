"""Workers that are there: who is of no use, and who did what."""

import os
import re
import signal
import time

import dask
import pytest
from rich.console import Console

from glojax.datasets import Dataset, DatasetSource
from glojax.errors import ClusterError
from glojax.evaluation import decisive_versions, patience, shards
from glojax.evaluation import fleet as fleet_module
from glojax.evaluation.cluster import ClusterTrainer
from glojax.evaluation.fleet import Fleet
from glojax.evaluation.member import Outcome
from glojax.expressions import LossTree
from glojax.networks import DigitsCNN
from glojax.search.cluster_options import WorkersOptions, print_workers
from glojax.training import TrainingConfig
from tests.cluster.conftest import MakeTrainer


def lacks_memory() -> str:
    raise MemoryError


def addresses(fleet: Fleet) -> list[str]:
    return [member.address for member in fleet.members]


def test_workers_with_other_versions_are_of_no_use(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = decisive_versions()
    monkeypatch.setattr(shards, "decisive_versions", lambda: versions | {"glojax_code": "other"})
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 1.0)
    expected = f"No worker of 2 can be used (.*: glojax_code is '{versions['glojax_code']}' and not 'other')."
    with pytest.raises(ClusterError, match=re.escape(expected).replace(r"\.\*", ".*")):
        Fleet(fleet._client, 1).wait_for_workers(1)


@pytest.mark.slow
def test_a_worker_that_dask_gives_up_is_replaced(fleet: Fleet) -> None:
    fleet.wait_for_workers(2)
    processes = [report["pid"] for report in fleet.reports()[0].values() if report]
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "0s"}):
        os.kill(processes[0], signal.SIGKILL)
        while len(fleet.members) == 2:
            fleet.wait()
        fleet.wait_for_workers(2)
    assert processes[0] not in [report["pid"] for report in fleet.reports()[0].values() if report]


@pytest.mark.slow
def test_a_worker_that_froze_while_it_was_idle_is_replaced(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr(fleet_module, "SIGN_SECONDS", 3.0)
    fleet.wait_for_workers(2)
    own = Fleet(fleet._client, 1)
    own.wait_for_workers(2)
    frozen, other = [member.address for member in own.members]
    report = own.reports()[0][frozen]
    assert report is not None
    os.kill(report["pid"], signal.SIGSTOP)
    while frozen in addresses(own):
        own.wait()
    assert own.reports()[1][-1]["what"] == "silent"
    own.wait_for_workers(2)
    assert other in addresses(own)
    while frozen in addresses(fleet):
        fleet.wait()


def test_nobody_is_late_while_the_head_does_something_else(fleet: Fleet) -> None:
    fleet.wait_for_workers(2)
    member = next(member for member in fleet.members if member.is_idle)
    fleet.assign(member, 2.0, str.upper, "done")
    time.sleep(3)
    outcomes: list[Outcome] = []
    while not outcomes:
        outcomes = fleet.wait()
    assert [(outcome.member, outcome.text) for outcome in outcomes] == [(member, "DONE")]


def test_a_worker_that_is_at_work_for_others_is_waited_for(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr(fleet_module, "SIGN_SECONDS", 0.5)
    fleet.wait_for_workers(2)
    ours = Fleet(fleet._client, 1, has_others=True)
    ours.wait_for_workers(2)
    busy, other = addresses(ours)
    work = fleet._client.submit(time.sleep, 3, workers=[busy])
    while not work.done():
        ours.wait()
        assert addresses(ours) == [busy, other]
    while not all(member.is_idle for member in ours.members):
        ours.wait()
    assert addresses(ours) == [busy, other]


@pytest.mark.slow
def test_a_worker_without_memory_is_ended_and_replaced(fleet: Fleet) -> None:
    fleet.wait_for_workers(2)
    poor = next(member for member in fleet.members if member.is_idle)
    fleet.assign(poor, 60.0, lacks_memory)
    outcomes: list[Outcome] = []
    while not outcomes:
        outcomes = fleet.wait()
    (outcome,) = outcomes
    assert (outcome.member, outcome.text, type(outcome.error)) == (poor, None, MemoryError)
    fleet.wait_for_workers(2)
    assert poor.address not in [member.address for member in fleet.members]
    assert sorted(member.place for member in fleet.members) == [0, 1]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (DatasetSource("/nowhere/data.npz"), "/nowhere/data.npz cannot be read"),
        (DatasetSource("digits", train_fraction=0.5), "is another than that of the run: bring the same files there"),
    ],
)
def test_workers_without_the_data_set_are_of_no_use(
    fleet: Fleet, digits: Dataset, source: DatasetSource, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 1.0)
    config = TrainingConfig(num_steps=3, batch_size=64, learning_rate=0.05)
    trainer = ClusterTrainer(DigitsCNN, digits, config, source=source, fleet=Fleet(fleet._client, 1))
    with pytest.raises(ClusterError, match=rf"No worker of 2 can be used \(.*{complaint}"):
        list(trainer.train([LossTree.parse("x * log(y)")] * 2, [0, 1]))


def test_whoever_looks_sees_what_each_worker_has_done(fleet: Fleet, make_trainer: MakeTrainer) -> None:
    list(make_trainer().train([LossTree.parse("x * log(y)")] * 2, [0, 1]))
    address = fleet.address
    console = Console(width=200, record=True)
    print_workers(WorkersOptions(cluster=address), console)
    shown = console.export_text()
    trainings = [int(number) for number in re.findall(r"cpu 0 +[\d,]+ +\d+ +(\d+) +\d+ *$", shown, re.MULTILINE)]
    assert len(trainings) == 2
    assert sum(trainings) >= 2
    assert re.search(r"^2 workers; \d+ were lost, late or refused\.$", shown, re.MULTILINE)
