"""The job scripts of batch systems, and the folder of a run that holds the keys and logs of its jobs."""

import contextlib
import logging
import shlex
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from distributed import Security

from glojax.cluster.settings import LOOPBACK, NO_DASHBOARD, BatchSettings
from glojax.errors import ConfigurationError
from glojax.files import expanded, user_cache

DEATH_TIMEOUT_SECONDS: Final = 20  #: How long a worker waits for its scheduler before it ends.

#: Environment of a job: Python leaves the folder in which the job starts out of its search path. Dask's web server has
#: no pages; and malloc does not return memory to the system after every step, with which a training on a CPU takes 20 %
#: longer.
_EXPORTS: Final = (
    "export PYTHONSAFEPATH=1",
    "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'",
    "export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON='{\"MALLOC_TRIM_THRESHOLD_\": None}'",
)


class _Keys(Security):
    """Temporary keys in memory; the role of workers, for which only job scripts ask, has paths of files instead."""

    files: dict[str, str] | None = None

    def get_tls_config_for_role(self, role: str) -> dict[str, Any]:
        if role == "worker" and self.files is not None:
            return self.files
        config: dict[str, Any] = super().get_tls_config_for_role(role)  # type: ignore[no-untyped-call]
        return config


@contextlib.contextmanager
def run_folder(settings: BatchSettings, name: str) -> Iterator[Path]:
    """Make a folder in the shared folder, readable by this user alone; remove it at the end."""
    try:
        shared = _absolute(settings.shared_folder or user_cache() / "cluster")
        shared.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = tempfile.TemporaryDirectory(prefix=f"{name}-", dir=shared, ignore_cleanup_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write to {error.filename} ({error.strerror}); give another shared_folder."
        ) from error
    with folder as path:
        yield Path(path)


def log_folder(settings: BatchSettings, folder: Path) -> Path:
    """Return where jobs write their logs: the folder of the run by default."""
    return folder if settings.log_folder is None else _absolute(settings.log_folder)


def batch_cluster(kind: str, settings: BatchSettings, name: str, folder: Path) -> Any:
    """Return a `dask_jobqueue` cluster of a kind, "slurm" or "htcondor", without jobs, encrypted with its own keys.

    Args:
        kind: The batch system.
        settings: Settings of its jobs.
        name: Name of all jobs.
        folder: Folder of the run, for keys and logs.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        import cryptography  # noqa: F401  # for the keys
        from dask_jobqueue.htcondor import HTCondorCluster
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise ConfigurationError(
            f"Batch systems need packages that are not installed ({error.name}): pip install 'glojax[cluster]'"
        ) from error
    signal.signal(signal.SIGINT, handler)  # dask_jobqueue has replaced it
    is_slurm = kind == "slurm"
    keys = _Keys.temporary()  # type: ignore[no-untyped-call]
    paths = {part: folder / f"{part}.pem" for part in ("ca_file", "cert", "key")}
    for part, path in paths.items():
        path.touch(mode=0o600)
        path.write_text(keys.get_tls_config_for_role("worker")[part])
    logs = log_folder(settings, folder)
    logs.mkdir(parents=True, exist_ok=True)
    python = str(expanded(settings.python or sys.executable))
    # A dollar sign begins a macro in a submit file of HTCondor.
    escaped = str if is_slurm else _condor
    keys.files = {part: escaped(shlex.quote(str(path))) for part, path in paths.items()}
    scheduler: dict[str, Any] = {"dashboard_address": NO_DASHBOARD, "dashboard": False}
    scheduler |= {"interface": settings.interface} if settings.interface else {"host": settings.host or LOOPBACK}
    memory_request = "--mem=" if is_slurm else "RequestMemory"
    options: dict[str, Any] = {
        "cores": settings.cores,
        "memory": settings.memory,
        "processes": 1,
        "name": name,
        "job_name": name,
        "python": escaped(shlex.quote(python)),
        "death_timeout": DEATH_TIMEOUT_SECONDS,
        "worker_extra_args": ["--no-dashboard", "--dashboard-address", NO_DASHBOARD],
        "job_script_prologue": [escaped(line) for line in (*settings.prologue, *_EXPORTS)],
        "job_directives_skip": [] if settings.request_memory else [memory_request],
        "security": keys,
        "scheduler_options": scheduler,
        "silence_logs": logging.CRITICAL,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if is_slurm:
            # In the name of a log, Slurm replaces what follows a percent sign.
            log = shlex.quote(f"{str(logs).replace('%', '%%')}/{name}-%j.out")
            return SLURMCluster(
                queue=settings.queue,
                account=settings.account,
                walltime=settings.walltime,
                job_cpu=settings.cores,
                job_extra_directives=[f"--output={log}", *settings.directives],
                **options,
            )
        log = f"{_condor(str(logs))}/{name}-$(ClusterId)"
        # Jobs are ended by a signal: without streams, nothing of their output would arrive.
        streams = {"Output": f"{log}.out", "Error": f"{log}.err", "Stream_Output": True, "Stream_Error": True}
        extra = {**streams, **settings.submit_options, "batch_name": name}
        return HTCondorCluster(disk=settings.disk, job_extra_directives=extra, **options)


def _absolute(path: Path) -> Path:
    return expanded(path).absolute()


def _condor(text: str) -> str:
    """Escape the dollar signs of a text in a submit file."""
    return text.replace("$", "$(DOLLAR)")
