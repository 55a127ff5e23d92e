"""A search on a running scheduler and worker, encrypted, which end before the search does."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from distributed import Security

from tests.cluster.slurm_node import free_port
from tests.search.conftest import NETWORK
from tests.search.runs import environment

TLS = ("--tls-ca-file", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
SETTINGS = '[tls]\nca_file = "ca.pem"\ncert_file = "cert.pem"\nkey_file = "key.pem"\n'
SEARCH = ("compare", "--losses", "baikal", "cross_entropy", "--steps", "100", "--seeds", "50", *NETWORK)


class Processes:
    """Starts processes in a folder, and ends them with the test."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{module}.txt").open("wb") as output:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(command, cwd=self._folder, env=environment(), stdout=output, stderr=output)
        self.all.append(process)
        return process


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path)
    yield started
    for process in started.all:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_a_search_ends_with_one_line_when_its_scheduler_is_killed(tmp_path: Path, processes: Processes) -> None:
    keys = Security.temporary()
    for name, attribute in (("ca", "tls_ca_file"), ("cert", "tls_client_cert"), ("key", "tls_client_key")):
        (tmp_path / f"{name}.pem").write_text(getattr(keys, attribute))
    (tmp_path / "cluster.toml").write_text(SETTINGS)
    port = free_port()
    address, cluster = f"tls://127.0.0.1:{port}", ("--cluster-config", "cluster.toml")
    listening = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    scheduler = processes.start("distributed.cli.dask_scheduler", "--protocol", "tls", *listening, *TLS)
    start_worker = partial(
        processes.start,
        "distributed.cli.dask_worker",
        address,
        "--no-nanny",
        "--no-dashboard",
        "--death-timeout",
        "60",
        *TLS,
    )
    worker = start_worker()
    while "Registered" not in (tmp_path / "distributed.cli.dask_worker.txt").read_text():
        assert scheduler.poll() is worker.poll() is None
        time.sleep(0.1)
    search = processes.start("glojax.search", *SEARCH, "--cluster", address, *cluster, "--run-dir", "run")
    output = tmp_path / "glojax.search.txt"
    while not (tmp_path / "run" / "trainings.jsonl").exists():
        assert search.poll() is None, output.read_text()
        if worker.poll() is not None:  # now and then a connection breaks as soon as it is made, and its worker ends
            worker = start_worker()
        time.sleep(0.1)
    scheduler.kill()
    assert search.wait(90) == 2
    *_, line = output.read_text().splitlines()
    go_on = f"python -m glojax.search resume run --cluster {address} --cluster-config cluster.toml"
    assert re.fullmatch(
        rf"error: The scheduler of the cluster is gone.*\. What is done is saved; go on with: {re.escape(go_on)}", line
    )
    assert "Traceback" not in output.read_text()
