"""Mistakes about a cluster give one clear line."""

import builtins
import contextlib
import gc
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glojax.cluster.settings import BatchSettings, LocalSettings, SchedulerSettings
from glojax.errors import ConfigurationError
from glojax.search.__main__ import main
from glojax.search.execution import read_settings

COMPARE = ("compare", "--losses", "baikal", "--cluster")
EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"

Complaint = Callable[..., str]


@pytest.fixture
def complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complaint:
    """Runs a command that must fail, in an empty folder, and returns its one line of error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        assert main(arguments) == 2
        errors = capsys.readouterr().err
        assert re.fullmatch(r"error: .*\n", errors), errors
        assert not (tmp_path / "runs").exists()
        return errors.removeprefix("error: ").rstrip("\n")

    return run


@pytest.mark.parametrize(
    "cluster", ["", "local", "local:0", "local:two", "slurn", "tcp://host", "http://host:80", "tcp://[::1:80"]
)
def test_an_unknown_cluster_names_the_known_ones(complaint: Complaint, cluster: str) -> None:
    expected = f"--cluster is {cluster!r}; expected one of local:N, slurm, htcondor, tcp://HOST:PORT, tls://HOST:PORT."
    assert complaint(*COMPARE[:-1], f"--cluster={cluster}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memry = '1GB'", "has the unknown setting memry. Did you mean 'memory'?"),
        ("[limits]\nslack_second = 3", "has the unknown setting limits.slack_second. Did you mean 'slack_seconds'?"),
        ("memory = 3", "has a setting of a wrong type: "),
        ("[limits]\nslack_seconds = 0", "limits.slack_seconds is 0; expected a positive number"),
        (
            f"[limits]\nslack_seconds = 1{'0' * 400}",
            "limits.slack_seconds is 10000000000000000000; expected a positive number",
        ),
        ("[limits]\nslack_seconds = nan", "limits.slack_seconds is nan; expected a positive number"),
        ("memory =", "cannot be read as TOML"),
        ("memory = 'lots'", "memory is 'lots'; expected a number with a unit"),
        ("memory = " + "[" * 100_000, "cannot be read as TOML"),
    ],
)
def test_wrong_settings(complaint: Complaint, text: str, expected: str) -> None:
    Path("cluster.toml").write_text(text)
    assert expected in complaint(*COMPARE, "local:1", "--cluster-config", "cluster.toml")


@pytest.mark.parametrize(
    "amount", ["", "0", "512", "1000", "4096", "-1GB", "0GB", "99MB", "1 e9", "infGB", "4 gigabytes"]
)
@pytest.mark.parametrize(
    ("cluster", "name"), [("local:1", "memory"), ("slurm", "memory"), ("htcondor", "memory"), ("htcondor", "disk")]
)
def test_amounts_that_could_mean_several_things(tmp_path: Path, cluster: str, name: str, amount: str) -> None:
    (tmp_path / "cluster.toml").write_text(f"{name} = '{amount}'")
    with pytest.raises(ConfigurationError) as raised:
        read_settings(cluster, tmp_path / "cluster.toml")
    expected = 'expected a number with a unit, such as "4GB" or "512MB", and at least "100MB".'
    assert str(raised.value) == f"{name} is {amount!r}; {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jobs = 0", "jobs is 0; expected a whole number from 1 to 10000."),
        ("jobs = 1000000000", "jobs is 1000000000; expected a whole number from 1 to 10000."),
        ("cores = 0", "cores is 0; expected a whole number from 1 to 1024."),
        ("cores = 1000000000", "cores is 1000000000; expected a whole number from 1 to 1024."),
    ],
)
def test_numbers_of_jobs_and_cores(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "cluster.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=f"^{expected}$"):
        read_settings("slurm", tmp_path / "cluster.toml")


def test_more_workers_than_any_machine_runs(complaint: Complaint) -> None:
    assert complaint(*COMPARE, "local:1025") == "--cluster is 'local:1025'; expected at most local:1024."


def test_settings_are_a_file_of_some_size(complaint: Complaint) -> None:
    os.mkfifo("pipe.toml")
    assert "pipe.toml is a pipe or a device" in complaint(*COMPARE, "slurm", "--cluster-config", "pipe.toml")
    Path("sparse.toml").touch()
    os.truncate("sparse.toml", 10 * 2**30)
    assert "expected at most 1,048,576" in complaint(*COMPARE, "slurm", "--cluster-config", "sparse.toml")


def test_a_settings_file_that_is_missing(complaint: Complaint) -> None:
    assert "No such file" in complaint(*COMPARE, "local:1", "--cluster-config", "cluster.toml")


def test_settings_without_a_cluster(complaint: Complaint) -> None:
    assert "goes with --cluster" in complaint(*COMPARE[:-1], "--cluster-config", "cluster.toml")


def test_a_batch_system_that_is_not_here(complaint: Complaint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert complaint(*COMPARE, "slurm").startswith("There is no sbatch on this machine")


def test_a_scheduler_that_does_not_answer(complaint: Complaint, monkeypatch: pytest.MonkeyPatch) -> None:
    from glojax.cluster import launch

    monkeypatch.setattr(launch, "CONNECT_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert complaint(*COMPARE, address).startswith(f"The scheduler at {address} does not answer (nothing within")


# Dask leaves objects behind when it rejects settings.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("cluster", "text", "cause"),
    [
        ("slurm", "interface = 'ib99'", "ib99"),
        ("htcondor", "log_folder = 'cluster.toml/logs'", "cluster.toml/logs"),
    ],
)
def test_settings_that_dask_rejects(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch, cluster: str, text: str, cause: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    Path("cluster.toml").write_text(text)
    line = complaint(*COMPARE, cluster, "--cluster-config", "cluster.toml")
    assert line.startswith("The cluster cannot be started (")
    assert cause in line
    assert line.endswith("; correct --cluster-config.")
    gc.collect()


def test_messages_to_another_machine_are_encrypted(complaint: Complaint) -> None:
    assert "is on another machine, and not encrypted" in complaint(*COMPARE, "tcp://192.0.2.1:8786")


def test_messages_to_workers_on_other_machines_are_encrypted(
    complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glojax.cluster import launch

    class Client(contextlib.nullcontext["Client"]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(self)

        def nthreads(self) -> dict[str, int]:
            return {"tcp://127.0.0.1:4000": 1, "tcp://192.0.2.1:4000": 1}

    monkeypatch.setattr(launch, "_require_answer", lambda address, security: None)
    monkeypatch.setattr(launch, "Client", Client)
    for command in (COMPARE, ("workers", "--cluster")):
        expected = "The worker at tcp://192.0.2.1:4000 talks to other machines, and not encrypted; start it, and its "
        assert complaint(*command, "tcp://127.0.0.1:8786").startswith(expected)


def test_an_encrypted_scheduler_needs_certificates(complaint: Complaint) -> None:
    assert "needs certificates" in complaint(*COMPARE, "tls://192.0.2.1:8786")
    Path("cluster.toml").write_text('[tls]\nca_file = "a"\ncert_file = "b"\n')
    lacking = complaint(*COMPARE, "tls://192.0.2.1:8786", "--cluster-config", "cluster.toml")
    assert lacking == "cluster.toml lacks the setting tls.key_file; add it."
    Path("cluster.toml").write_text('[tls]\nca_file = "a"\ncert_file = "b"\nkey_file = "c"\n')
    assert "There is no file a" in complaint(*COMPARE, "tls://192.0.2.1:8786", "--cluster-config", "cluster.toml")


def test_encryption_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from glojax.cluster.job_scripts import batch_cluster

    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(ConfigurationError, match=r"not installed \(cryptography\): pip install 'glojax\[cluster\]'"):
        batch_cluster("slurm", BatchSettings(), "glojax-test", tmp_path)


def test_an_extra_that_is_not_installed(complaint: Complaint, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name == "distributed":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    for module in [name for name in sys.modules if name.startswith("glojax.cluster.launch")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)
    assert complaint(*COMPARE, "local:1").endswith("(distributed): pip install 'glojax[cluster]'")


@pytest.mark.parametrize(
    ("cluster", "name", "settings"),
    [
        ("local:4", "local", LocalSettings),
        ("slurm", "slurm", BatchSettings),
        ("htcondor", "htcondor", BatchSettings),
        ("tls://scheduler.example.org:8786", "scheduler", SchedulerSettings),
    ],
)
def test_the_examples_can_be_read(cluster: str, name: str, settings: type) -> None:
    read = read_settings(cluster, EXAMPLES / f"{name}.toml")
    assert isinstance(read, settings)
    assert read != settings()
