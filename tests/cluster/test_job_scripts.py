"""The scripts of jobs, as a shell reads them."""

import itertools
import re
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from glojax.cluster.batch import _WATCH
from glojax.cluster.job_scripts import batch_cluster, log_folder, run_folder
from glojax.cluster.settings import BatchSettings
from glojax.errors import ConfigurationError
from tests.cluster.slurm_commands import make_program
from tests.cluster.slurm_node import wait_until

#: What a shell, Slurm or HTCondor could take for more than a part of a name.
ODD = 'it\'s $HOME "$(HOME)" `a` 50%j; #1 & ümlaut'

#: Prints its arguments, one a line.
PRINT = "#!/bin/sh\nprintf '%s\\n' \"$@\"\n"


def script(kind: str, settings: BatchSettings, folder: Path) -> str:
    with batch_cluster(kind, settings, "glojax-test", folder) as cluster:
        return str(cluster.job_script())


def run_as_job(kind: str, text: str) -> str:
    """Run a job's script as the batch system would, and return its output."""
    if kind == "htcondor":
        (arguments,) = re.findall(r'^Arguments = "(.*)"$', text, re.MULTILINE)
        # "$(name)" is a macro. In the new syntax, quotes are doubled, and single ones hold an argument together.
        assert set(re.findall(r"\$\(\w+\)", arguments)) <= {"$(DOLLAR)"}
        arguments = arguments.replace("$(DOLLAR)", "$").replace('""', '"')
        _, command = shlex.split(arguments.replace("''", "'\\''"))
        words = ["sh", "-c", command]
    else:
        words = ["bash", "-c", text]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", ["slurm", "htcondor"])
def test_paths_reach_the_worker_as_they_are(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    python = make_program(folder / "python", PRINT)
    settings = BatchSettings(python=str(python), shared_folder=folder / "shared", prologue=["N=$(echo 7)", "echo $N"])
    with run_folder(settings, "glojax-test") as run:
        seven, *arguments = run_as_job(kind, script(kind, settings, run)).splitlines()
    assert seven == "7"
    assert arguments[:2] == ["-m", "distributed.cli.dask_worker"]
    given = dict(itertools.pairwise(arguments))
    assert run.parent == folder / "shared"
    assert [given[name] for name in ("--tls-ca-file", "--tls-cert", "--tls-key")] == [
        str(run / f"{name}.pem") for name in ("ca_file", "cert", "key")
    ]
    assert given["--dashboard-address"] == "127.0.0.1:0"
    assert given["--death-timeout"] == "20"


def test_slurm_writes_the_log_where_it_belongs(tmp_path: Path) -> None:
    logs = tmp_path / ODD
    text = script("slurm", BatchSettings(log_folder=logs), tmp_path)
    (option,) = re.findall(r"^#SBATCH (--output=.*)$", text, re.MULTILINE)
    assert shlex.split(option) == [f"--output={tmp_path}/{ODD.replace('%', '%%')}/glojax-test-%j.out"]
    assert logs.is_dir()


def test_htcondor_writes_the_logs_where_they_belong(tmp_path: Path) -> None:
    text = script("htcondor", BatchSettings(log_folder=tmp_path / ODD), tmp_path)
    where = f"{tmp_path}/{ODD.replace('$', '$(DOLLAR)')}/glojax-test-$(ClusterId)"
    assert re.findall(r"^(Output|Error) = (.*)$", text, re.MULTILINE) == [
        ("Output", f"{where}.out"),
        ("Error", f"{where}.err"),
    ]


@pytest.mark.parametrize("name", ["a\\b", "a\nb", "a\x1b[31mb"])
@pytest.mark.parametrize("setting", ["python", "shared_folder", "log_folder"])
def test_paths_that_no_job_script_can_hold_are_refused(setting: str, name: str) -> None:
    value = name if setting == "python" else Path(name)
    with pytest.raises(ConfigurationError) as raised:
        BatchSettings(**{setting: value})  # type: ignore[arg-type]
    expected = "expected a path without backslashes and control characters"
    assert str(raised.value) == f"{setting} is {name!r}; {expected}."


@pytest.mark.parametrize(("kind", "line"), [("slurm", "#SBATCH --mem="), ("htcondor", "RequestMemory = ")])
def test_the_memory_is_not_requested_where_a_site_refuses_that(kind: str, line: str, tmp_path: Path) -> None:
    assert line in script(kind, BatchSettings(), tmp_path)
    text = script(kind, BatchSettings(request_memory=False), tmp_path)
    assert line not in text
    assert "--memory-limit 3.73GiB" in text


@pytest.mark.parametrize(
    ("memory", "requested"), [("100MB", "96M"), ("512 mb", "489M"), ("1.5GB", "2G"), ("4GiB", "4G"), ("1t", "932G")]
)
def test_an_amount_of_memory(memory: str, requested: str, tmp_path: Path) -> None:
    assert f"#SBATCH --mem={requested}\n" in script("slurm", BatchSettings(memory=memory), tmp_path)


def test_keys_are_readable_by_their_user_alone_and_are_removed(tmp_path: Path) -> None:
    settings = BatchSettings(shared_folder=tmp_path / "shared")
    with run_folder(settings, "glojax-test") as run:
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        with batch_cluster("slurm", settings, "glojax-test", run):
            files = sorted(run.iterdir())
            assert [path.name for path in files] == ["ca_file.pem", "cert.pem", "key.pem"]
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
            assert "PRIVATE KEY" in files[-1].read_text()
        assert log_folder(settings, run) == run
    assert list((tmp_path / "shared").iterdir()) == []


def test_jobs_and_keys_of_a_killed_search_are_removed(tmp_path: Path) -> None:
    (run := tmp_path / "a folder").mkdir()
    (run / "key.pem").touch()
    cancelled = tmp_path / "cancelled"
    cancel = make_program(tmp_path / "cancel", f'#!/bin/sh\necho "$@" >{cancelled}\n')
    with subprocess.Popen(["sleep", "60"]) as head:
        watch = ["/bin/sh", "-c", _WATCH, str(head.pid), str(run), str(cancel), "--name=a b"]
        subprocess.run(watch, start_new_session=True, check=True, timeout=5)
        assert not cancelled.exists()
        head.kill()
    assert wait_until(lambda: not run.exists(), 10)
    assert cancelled.read_text() == "--name=a b\n"
