"""Workers that are there: who is of no use, and who did what."""

import os
import re
import signal

import dask
import pytest
from rich.console import Console

from glojax.errors import ClusterError
from glojax.evaluation import decisive_versions
from glojax.evaluation import fleet as fleet_module
from glojax.evaluation.fleet import Fleet
from glojax.expressions import LossTree
from glojax.search.cluster_options import WorkersOptions, print_workers
from tests.cluster.conftest import MakeTrainer


def test_workers_with_other_versions_are_of_no_use(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = decisive_versions()
    monkeypatch.setattr(fleet_module, "decisive_versions", lambda: versions | {"glojax_code": "other"})
    monkeypatch.setattr(fleet_module, "PATIENCE_SECONDS", 0.0)
    expected = f"No worker of 2 can be used (.*: glojax_code is '{versions['glojax_code']}' and not 'other')."
    with pytest.raises(ClusterError, match=re.escape(expected).replace(r"\.\*", ".*")):
        Fleet(fleet._client, 1).wait_for_workers(1)


@pytest.mark.slow
def test_a_worker_that_dask_gives_up_is_replaced(fleet: Fleet) -> None:
    fleet.wait_for_workers(2)
    processes = [report["pid"] for report in fleet.reports()[0].values()]
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "0s"}):
        os.kill(processes[0], signal.SIGKILL)
        while len(fleet.members) == 2:
            fleet.wait()
        fleet.wait_for_workers(2)
    assert processes[0] not in [report["pid"] for report in fleet.reports()[0].values()]


def test_whoever_looks_sees_what_each_worker_has_done(fleet: Fleet, make_trainer: MakeTrainer) -> None:
    list(make_trainer().train([LossTree.parse("x * log(y)")] * 2, [0, 1]))
    address = str(fleet._client.scheduler.address)
    console = Console(width=200, record=True)
    print_workers(WorkersOptions(cluster=address), console)
    shown = console.export_text()
    trainings = [int(number) for number in re.findall(r"cpu:0 +[\d,]+ +\d+ +(\d+) +\d+ *$", shown, re.MULTILINE)]
    assert len(trainings) == 2
    assert sum(trainings) >= 2
    assert re.search(r"^2 workers; \d+ were lost, late or refused\.$", shown, re.MULTILINE)
