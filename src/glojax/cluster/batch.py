"""Workers that are jobs of a batch system, Slurm or HTCondor: their start, and their end."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from distributed import Client
from rich.text import Text

from glojax.cluster.job_scripts import batch_cluster, log_folder, run_folder
from glojax.cluster.settings import CONNECT_SECONDS, BatchSettings, checked_settings
from glojax.errors import ClusterError

#: Shell commands that wait for the end of a process in the background, cancel its jobs, and remove their folder.
_WATCH: Final = """\
folder=$1; shift
{ while kill -0 "$0"; do sleep 2; done; "$@"; rm -rf -- "$folder"; } </dev/null >/dev/null 2>&1 &"""

_LIST_SECONDS: Final = 20  # for the batch system to list jobs
_NUM_LINES: Final = 5  # of a log, which are shown
_TAIL_BYTES: Final = 4000  # of a log, in which these lines are


@contextlib.contextmanager
def batch_workers(kind: str, settings: BatchSettings) -> Iterator[tuple[Client, Callable[[], None]]]:
    """Start jobs of a kind, "slurm" or "htcondor"; cancel them, and remove their keys, at the end.

    Yields:
        A client, and a function that raises ClusterError, with the last lines of a job's log, if no job is left.
    """
    submit, cancel = ("sbatch", "scancel") if kind == "slurm" else ("condor_submit", "condor_rm")
    if shutil.which(submit) is None:
        raise ClusterError(f"There is no {submit} on this machine; start the search where jobs can be submitted.")
    name = f"glojax-{socket.gethostname()}-{os.getpid()}"
    ours = [f"--name={name}"] if kind == "slurm" else ["-constraint", f'JobBatchName == "{name}"']
    with run_folder(settings, name) as folder:
        # In its own session, so that it outlives this process.
        watch = ["/bin/sh", "-c", _WATCH, str(os.getpid()), str(folder), cancel, *ours]
        subprocess.run(watch, start_new_session=True, check=False)
        with checked_settings():
            cluster = batch_cluster(kind, settings, name, folder)
        with cluster, Client(cluster, timeout=CONNECT_SECONDS) as client:
            if kind == "slurm":
                # Dask would wait forever for a job that Slurm refuses.
                command, script = ["sbatch", "--test-only"], cluster.job_script()
                tried = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
                if tried.returncode != 0:
                    cause = " ".join(tried.stderr.split())
                    raise ClusterError(f"Slurm refuses the jobs ({cause}); correct --cluster-config.")
            # `scale` would not replace lost jobs.
            cluster.adapt(minimum_jobs=settings.jobs, maximum_jobs=settings.jobs)
            yield client, partial(_require_jobs, cluster, kind, name, log_folder(settings, folder))


def _require_jobs(cluster: Any, kind: str, name: str, logs: Path) -> None:
    """Raise ClusterError if jobs were submitted, and none runs or waits; one that HTCondor holds does neither."""
    if not cluster.workers:
        return
    held = ["-constraint", f'JobBatchName == "{name}" && JobStatus != 5']
    command = ["squeue", "--noheader", f"--name={name}"] if kind == "slurm" else ["condor_q", "-af", "ClusterId", *held]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        listed = subprocess.run(command, capture_output=True, text=True, timeout=_LIST_SECONDS, check=True)
        if not listed.stdout.strip():
            raise ClusterError(
                f"All jobs ended before their workers came. {_last_lines(logs, name)} Correct --cluster-config."
            )


def _last_lines(folder: Path, name: str) -> str:
    """Return the last lines of the newest log of a job, without control characters, as a sentence."""
    written = [path for path in folder.glob(f"{name}-*") if path.is_file() and path.stat().st_size]
    if not written:
        return f"They left no log in {folder}."
    newest = max(written, key=lambda path: path.stat().st_mtime)
    with newest.open("rb") as file:
        file.seek(max(0, newest.stat().st_size - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    plain = [Text.from_ansi(line).plain for line in text.splitlines()]
    lines = ["".join(filter(str.isprintable, line)).strip() for line in plain]
    return f"A log ends: {' | '.join([line for line in lines if line][-_NUM_LINES:])}."
