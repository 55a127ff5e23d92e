"""A search on workers of this machine whose head is killed, and which goes on without a cluster."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.crash.run_folders import contents
from tests.search.conftest import BARE
from tests.search.runs import FinishedRun, environment, resume, run

#: Without the number of devices, which is then each worker's.
SEARCH = BARE[:-2]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[psutil.Process]]:
    """The search of `bare_run` on two workers, killed after its first training; its folder, and the workers."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "glojax.search", *SEARCH, "--cluster", "local:2", "--run-dir", "run"]
    with (folder / "output.txt").open("ab") as output:
        head = subprocess.Popen(command, cwd=folder, env=environment(), stdout=output, stderr=output)
    while not (folder / "run" / "trainings.jsonl").exists():
        assert head.poll() is None, (folder / "output.txt").read_text()
        time.sleep(0.05)
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
    killed: tuple[Path, list[psutil.Process]], bare_run: FinishedRun
) -> None:
    folder, _ = killed
    resumed = resume(folder)
    assert resumed.exit_code == 0, resumed.errors
    assert contents(resumed.directory) == contents(bare_run.directory)


@pytest.mark.slow
def test_a_whole_run_on_workers_leaves_the_files_of_a_local_one(tmp_path: Path, bare_run: FinishedRun) -> None:
    on_workers = run(tmp_path, *SEARCH, "--cluster", "local:2")
    assert on_workers.exit_code == 0, on_workers.errors
    assert contents(on_workers.directory) == contents(bare_run.directory)
    assert re.search(r"Waiting for a worker of local:2, at tcp://127\.0\.0\.1:\d+\.", on_workers.output)
    assert on_workers.errors == ""
