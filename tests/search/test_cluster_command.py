"""A search on workers of this machine whose head is killed, and which goes on without a cluster."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.crash.run_folders import contents
from tests.search.conftest import SEARCH
from tests.search.runs import FinishedRun, environment, resume


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[psutil.Process]]:
    """The search of `discover_run` on two workers, killed after its first training; its folder, and the workers."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "glojax.search", "discover", *SEARCH, "--cluster", "local:2", "--run-dir", "run"]
    with (folder / "output.txt").open("ab") as output:
        head = subprocess.Popen(command, cwd=folder, env=environment(), stdout=output, stderr=output)
    while not (folder / "run" / "trainings.jsonl").exists():
        assert head.poll() is None, (folder / "output.txt").read_text()
        time.sleep(0.005)
    workers = [child for child in psutil.Process(head.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    head.send_signal(signal.SIGKILL)
    head.wait()
    return folder, workers


@pytest.mark.slow
def test_workers_end_with_their_head(killed: tuple[Path, list[psutil.Process]]) -> None:
    _, workers = killed
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive


@pytest.mark.slow
def test_the_run_goes_on_without_a_cluster_to_the_same_end(
    killed: tuple[Path, list[psutil.Process]], discover_run: FinishedRun
) -> None:
    folder, _ = killed
    resumed = resume(folder)
    assert resumed.exit_code == 0, resumed.errors
    assert contents(resumed.directory) == contents(discover_run.directory)
