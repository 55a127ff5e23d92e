"""A search on a real Slurm of one node."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm_node import queue, reason_to_skip, slurm, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip())),
]

SEARCH = ("compare", "--losses", "cross_entropy", "baikal", "--steps", "2000", "--seeds", "6", "--seed", "3")
CLUSTER = ("--cluster", "slurm", "--cluster-config", "cluster.toml")
FOLDER = "it's $HOME 50%j"
SETTINGS = f'jobs = 2\ncores = 1\nmemory = "2GB"\nlog_folder = "{FOLDER}/logs"\nshared_folder = "{FOLDER}"\n'


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with slurm() as own:
        yield os.environ | own | {"JAX_PLATFORMS": "cpu"}


def search(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "glojax.search", *arguments]
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)


def num_trainings(folder: Path) -> int:
    journal = folder / "run" / "trainings.jsonl"
    return len(journal.read_bytes().splitlines()) if journal.exists() else 0


def test_jobs_that_slurm_refuses_give_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "cluster.toml").write_text(SETTINGS + 'queue = "none"\n')
    assert search(tmp_path, environment, *SEARCH, *CLUSTER, "--run-dir", "run").wait(60) == 2
    *_, line = (tmp_path / "output.txt").read_text().splitlines()
    assert re.fullmatch(r"error: Slurm refuses the jobs \(.*invalid partition.*\); correct --cluster-config\.", line)
    assert not (tmp_path / "run").exists()


def test_a_cancelled_job_changes_nothing_and_a_killed_head_leaves_no_job(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "cluster.toml").write_text(SETTINGS)
    head = search(tmp_path, environment, *SEARCH, *CLUSTER, "--run-dir", "run")
    assert wait_until(lambda: num_trainings(tmp_path) >= 1 or head.poll() is not None, 300)
    first, _ = jobs = queue(environment)
    subprocess.run(["scancel", first], env=environment, check=True)
    assert wait_until(lambda: len(set(queue(environment)) - {first}) == 2, 60)
    assert jobs[1] in queue(environment)
    assert wait_until(lambda: num_trainings(tmp_path) >= 3, 120)

    head.send_signal(signal.SIGKILL)
    head.wait()
    assert wait_until(lambda: not queue(environment), 60)
    assert wait_until(lambda: [path.name for path in (tmp_path / FOLDER).iterdir()] == ["logs"], 10)

    resumed = search(tmp_path, environment, "resume", "run", *CLUSTER)
    assert resumed.wait(300) == 0, (tmp_path / "output.txt").read_text()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["logs"]
    alone = search(tmp_path, environment, *SEARCH, "--devices", "1", "--run-dir", "alone")
    assert alone.wait(300) == 0
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("run", "alone")]
    assert results[0] == results[1]
