"""Compares submit files with HTCondor's documented format; no HTCondor pool runs them."""

import re
import shlex
from pathlib import Path

import pytest

from glojax.cluster.job_scripts import batch_cluster
from glojax.cluster.settings import BatchSettings
from glojax.search.execution import read_settings

EXAMPLES = Path(__file__).parents[2] / "examples" / "cluster"

#: "name = value", "MY.Name = value", or the statement that ends a file (condor_submit's manual, "submit description").
_LINE = re.compile(r"(?:(?:\+|MY\.)?[A-Za-z_]\w*\s*=\s*\S.*|[Qq]ueue)")


@pytest.fixture(scope="module")
def submit_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    given = read_settings("htcondor", EXAMPLES / "htcondor.toml")
    assert isinstance(given, BatchSettings)
    folder = tmp_path_factory.mktemp("condor")
    settings = BatchSettings(**vars(given) | {"host": "127.0.0.1", "log_folder": folder})
    with batch_cluster("htcondor", settings, "glojax-test", folder) as cluster:
        return str(cluster.job_script())


def test_every_line_is_a_statement_and_the_last_one_queues(submit_file: str) -> None:
    lines = [line for line in submit_file.splitlines() if line.strip() and not line.startswith("#")]
    assert all(_LINE.fullmatch(line) for line in lines)
    assert lines[-1] == "Queue"


def test_it_requests_the_settings(submit_file: str) -> None:
    statements = dict(re.findall(r"^(\S+)\s*=\s*(.*)$", submit_file, re.MULTILINE))
    assert statements["MY.DaskWorkerCores"] == "2"
    assert int(statements["MY.DaskWorkerMemory"]) == 4 * 10**9
    assert int(statements["MY.DaskWorkerDisk"]) == 2 * 10**9
    assert statements["request_gpus"] == "1"
    assert statements["requirements"] == '(OpSysAndVer == "Debian12")'
    assert statements["batch_name"] == "glojax-test"


def test_its_command_starts_a_worker_that_ends_without_a_scheduler(submit_file: str) -> None:
    (quoted,) = re.findall(r'^Arguments = "(.*)"$', submit_file, re.MULTILINE)
    # Within the new syntax's double quotes, double quotes are doubled and single ones hold an argument together.
    shell, command = shlex.split(quoted.replace('""', '"').replace("''", "'\\''"))
    assert shell == "-c"
    assert command.startswith("export OMP_NUM_THREADS=2; ")
    words = shlex.split(command)
    # This undoes Dask's own setting, which slows trainings down.
    assert """DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON={"MALLOC_TRIM_THRESHOLD_": None};""" in words
    assert "PYTHONSAFEPATH=1;" in words
    assert words[words.index("--death-timeout") + 1] == "20"
    assert words[words.index("--nthreads") + 1] == "2"
    assert any(word.startswith("tls://127.0.0.1:") for word in words)
    for option, name in (("--tls-ca-file", "ca_file"), ("--tls-cert", "cert"), ("--tls-key", "key")):
        assert Path(words[words.index(option) + 1]).name == f"{name}.pem"
