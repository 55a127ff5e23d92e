"""Jobs that stand-ins for Slurm's commands run on this machine."""

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import psutil
import pytest

from glojax.cluster import worker_pool
from glojax.cluster.batch import _require_jobs
from glojax.cluster.launch import open_workers
from glojax.cluster.settings import BatchSettings
from glojax.cluster.worker_pool import WorkerPool
from glojax.errors import ClusterError
from tests.cluster.slurm_commands import SlurmCommands, make_program
from tests.cluster.slurm_node import wait_until
from tests.cluster.test_job_scripts import ODD


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCommands]:
    monkeypatch.setattr(worker_pool, "WARNING_SECONDS", 0.5)
    commands = SlurmCommands(tmp_path, monkeypatch)
    yield commands
    commands.kill()


def complaint(settings: BatchSettings) -> str:
    with pytest.raises(ClusterError) as raised, open_workers("slurm", settings) as workers:
        workers.wait_for_workers(1)
    return str(raised.value)


@pytest.mark.parametrize("logs", [None, "logs"])
def test_a_search_whose_jobs_end_at_once_says_what_their_log_says(
    slurm: SlurmCommands, tmp_path: Path, logs: str | None
) -> None:
    failing = r"""#!/bin/sh
printf 'first\na\n\nb\n'
printf '\033[31mno module\007\033[0m\r\nc\nd\n' >&2
exit 1
"""
    settings = BatchSettings(
        python=str(make_program(tmp_path / "python", failing)),
        shared_folder=tmp_path / ODD,
        log_folder=None if logs is None else tmp_path / logs,
    )
    expected = (
        "All jobs ended before their workers came. A log ends: a | b | no module | c | d. Correct --cluster-config."
    )
    assert complaint(settings) == expected
    assert len(slurm.processes) == 2
    assert list((tmp_path / ODD).iterdir()) == []
    if logs is not None:
        assert len(list((tmp_path / logs).iterdir())) == 2


def test_a_search_whose_jobs_left_no_log_says_so(slurm: SlurmCommands, tmp_path: Path) -> None:
    settings = BatchSettings(python=str(make_program(tmp_path / "python", "#!/bin/sh\n")), log_folder=tmp_path / "logs")
    assert complaint(settings).startswith(f"All jobs ended before their workers came. They left no log in {tmp_path}")


def test_a_search_waits_while_a_job_does(slurm: SlurmCommands, tmp_path: Path) -> None:
    patient = make_program(tmp_path / "python", "#!/bin/sh\nexec sleep 60\n")
    with open_workers("slurm", BatchSettings(python=str(patient), shared_folder=tmp_path)) as workers:
        while len(slurm.processes) < 2:
            assert workers.wait() == []
        for _ in range(4):
            assert workers.wait() == []


@pytest.mark.parametrize(("listed", "is_given_up"), [("echo 7", False), ("true", True), ("exit 1", False)])
def test_jobs_of_htcondor_are_listed_without_those_that_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str, is_given_up: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    make_program(tmp_path / "condor_q", f"#!/bin/sh\nprintf '%s\\n' \"$@\" >arguments\n{listed}\n")
    submitted = SimpleNamespace(workers={"glojax-0": None})
    with pytest.raises(ClusterError, match="All jobs ended") if is_given_up else nullcontext():
        _require_jobs(submitted, "htcondor", "glojax-test", tmp_path)
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments == ["-af", "ClusterId", "-constraint", 'JobBatchName == "glojax-test" && JobStatus != 5']


def statuses(url: str) -> list[int]:
    found = []
    for page in ("/", "/health", "/metrics", "/status", "/info/main/workers.html", "/json/counts.json"):
        try:
            with urllib.request.urlopen(url + page, timeout=5) as answer:
                found.append(answer.status)
        except urllib.error.HTTPError as error:
            found.append(error.code)
            error.close()
    return found


def web_servers(workers: WorkerPool) -> list[str]:
    """The addresses of the web servers of the scheduler and all workers."""
    about = workers._client.scheduler_info(n_workers=-1)
    ports = [node["services"]["dashboard"] for node in (about, *about["workers"].values())]
    return [f"http://127.0.0.1:{port}" for port in ports]


def listening(*processes: psutil.Process) -> set[tuple[str, int]]:
    """The address and port of each listening socket."""
    return {
        connection.laddr
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def greet_without_keys(url: str) -> bytes:
    """Connect with encryption and without a certificate, and wait for an answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    where = urlsplit(url)
    with (
        socket.create_connection((where.hostname, where.port), timeout=5) as plain,
        context.wrap_socket(plain) as encrypted,
    ):
        return encrypted.recv(1)


def test_a_worker_in_a_job_talks_to_those_who_have_the_keys(slurm: SlurmCommands, tmp_path: Path) -> None:
    (shared := tmp_path / ODD).mkdir()
    with open_workers("slurm", BatchSettings(jobs=1, shared_folder=shared)) as workers:
        assert wait_until(workers._present, 60), [path.read_text() for path in shared.rglob("*.out")]
        ((address, about),) = workers._client.scheduler_info()["workers"].items()
        assert workers.address.startswith("tls://127.0.0.1:")
        for url in (workers.address, address, about["nanny"]):
            with pytest.raises(ssl.SSLError):
                greet_without_keys(url)
        (job,) = slurm.processes
        found = listening(*psutil.Process(job).children(recursive=True))
        with_keys = {urlsplit(url).port for url in (address, about["nanny"])}
        others = {(ip, port) for ip, port in found if port not in with_keys}
        assert others == {("127.0.0.1", about["services"]["dashboard"])}
        scheduler, worker = web_servers(workers)
        assert statuses(scheduler) == statuses(worker) == [404] * 6
    assert list(shared.iterdir()) == []


def test_a_worker_on_this_machine_is_reached_from_it_alone_and_has_no_pages(workers: WorkerPool) -> None:
    head = psutil.Process()
    assert {ip for ip, _ in listening(head, *head.children(recursive=True))} == {"127.0.0.1"}
    for server in web_servers(workers):
        assert statuses(server) == [404] * 6
