"""Starts clusters, worker processes on this machine or jobs on a batch system, or connects to a running scheduler."""

import asyncio
import contextlib
import logging
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import dask
import platformdirs
from distributed import Client, LocalCluster, Security
from distributed.core import rpc

from glojax.cluster.settings import BatchSettings, LocalSettings, SchedulerSettings, Settings
from glojax.cluster.worker import is_exposed
from glojax.cluster.worker_pool import WorkerPool
from glojax.errors import ClusterError, ConfigurationError
from glojax.evaluation.runtime import num_cores

CONNECT_SECONDS: Final = 10  #: How long a scheduler may take to answer.
DEATH_TIMEOUT_SECONDS: Final = 20  #: How long a worker waits for its scheduler before it ends.

_LOOPBACK: Final = "127.0.0.1"

#: Dask's scheduler always has a web server: only this machine reaches it, and the port is a free one.
_NO_DASHBOARD: Final = f"{_LOOPBACK}:0"

#: Dask sets this variable for workers; malloc then returns memory to the system after every step, and a training on a
#: CPU takes 20 % longer.
_TRIM: Final = "MALLOC_TRIM_THRESHOLD_"
_SPAWN: Final = "distributed.nanny.pre-spawn-environ"
_NO_TRIM: Final = f"export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON='{{\"{_TRIM}\": None}}'"

#: Settings of Dask: it drops lost workers sooner, and leaves failures of tasks to `ClusterPool`.
_DASK: Final = {
    "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
    "distributed.deploy.lost-worker-timeout": "5s",
    "distributed.scheduler.allowed-failures": 10,
    f"{_SPAWN}.{_TRIM}": None,
    "distributed.scheduler.worker-ttl": "120s",
}

#: A shell command that waits for the end of a process, and then cancels its jobs.
_WATCH: Final = 'while kill -0 "$0" 2>/dev/null; do sleep 2; done; exec "$@"'


@contextlib.contextmanager
def open_workers(cluster: str, settings: Settings, num_devices: int | None = None) -> Iterator[WorkerPool]:
    """Start a cluster, or connect to one; end its workers at the end of the `with` statement, if it was started."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(_DASK):
        if isinstance(settings, LocalSettings):
            number = int(cluster.removeprefix("local:"))
            cores = num_devices or max(1, num_cores() // number)
            with _local(number, settings) as client:
                yield WorkerPool(client, cores, share_machine=True)
        elif isinstance(settings, BatchSettings):
            with _batch(cluster, settings) as client:
                yield WorkerPool(client, num_devices or settings.cores)
        else:
            with connected(cluster, settings) as client:
                yield WorkerPool(client, num_devices, is_shared=True, allow_exposed=settings.unencrypted)


@contextlib.contextmanager
def _local(number: int, settings: LocalSettings) -> Iterator[Client]:
    """Start child processes. Only this machine reaches them, hence without encryption."""
    # By default each worker has an equal share of the machine's memory.
    memory = {} if settings.memory is None else {"memory_limit": settings.memory}
    with _checked_settings():
        cluster = LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            host=_LOOPBACK,
            dashboard_address=_NO_DASHBOARD,
            silence_logs=logging.CRITICAL,
            **memory,
        )
    with cluster, Client(cluster, timeout=CONNECT_SECONDS) as client:
        # Dask gives up a worker that fails twice within its timeout; `adapt` replaces it.
        cluster.adapt(minimum=number, maximum=number)
        yield client


@contextlib.contextmanager
def _checked_settings() -> Iterator[None]:
    """Raise ConfigurationError if Dask rejects the settings of a cluster."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigurationError(
            f"The cluster cannot be started ({' '.join(str(error).split())}); correct --cluster-config."
        ) from error


@contextlib.contextmanager
def _batch(kind: str, settings: BatchSettings) -> Iterator[Client]:
    submit, cancel = ("sbatch", "scancel") if kind == "slurm" else ("condor_submit", "condor_rm")
    if shutil.which(submit) is None:
        raise ClusterError(f"There is no {submit} on this machine; start the search where jobs can be submitted.")
    name = f"glojax-{socket.gethostname()}-{os.getpid()}"
    which = [f"--name={name}"] if kind == "slurm" else ["-constraint", f'JobBatchName == "{name}"']
    with _checked_settings():
        cluster = batch_cluster(kind, settings, name)
    with cluster, Client(cluster, timeout=CONNECT_SECONDS) as client:
        if kind == "slurm":
            # Dask would wait forever for a job that Slurm refuses.
            command, script = ["sbatch", "--test-only"], cluster.job_script()
            tried = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
            if tried.returncode != 0:
                cause = " ".join(tried.stderr.split())
                raise ClusterError(f"Slurm refuses the jobs ({cause}); correct --cluster-config.")
        # In its own session, so that it outlives this process.
        subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, str(os.getpid()), cancel, *which],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # `scale` would not replace lost jobs.
        cluster.adapt(minimum_jobs=settings.jobs, maximum_jobs=settings.jobs)
        yield client


def batch_cluster(kind: str, settings: BatchSettings, name: str) -> Any:
    """Return a `dask_jobqueue` cluster of a kind, "slurm" or "htcondor", without jobs, encrypted with its own keys."""
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
    shared = settings.shared_folder or platformdirs.user_cache_path("glojax") / "cluster"
    try:
        shared = shared.expanduser().absolute()
        shared.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"Cannot write to {shared} ({error.strerror}); give another shared_folder.") from error
    scheduler: dict[str, Any] = {"dashboard_address": _NO_DASHBOARD}
    scheduler |= {"interface": settings.interface} if settings.interface else {"host": settings.host or _LOOPBACK}
    options: dict[str, Any] = {
        "cores": settings.cores,
        "memory": settings.memory,
        "processes": 1,
        "name": name,
        "job_name": name,
        "python": settings.python or sys.executable,
        "death_timeout": DEATH_TIMEOUT_SECONDS,
        "worker_extra_args": ["--no-dashboard"],
        "job_script_prologue": [*settings.prologue, _NO_TRIM],
        "log_directory": settings.log_folder and str(settings.log_folder.expanduser()),
        "security": Security.temporary(),
        "shared_temp_directory": str(shared),
        "scheduler_options": scheduler,
        "silence_logs": logging.CRITICAL,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "slurm":
            nowhere = [] if settings.log_folder else ["--output=/dev/null"]
            return SLURMCluster(
                queue=settings.queue,
                account=settings.account,
                walltime=settings.walltime,
                job_cpu=settings.cores,
                job_extra_directives=[*nowhere, *settings.directives],
                **options,
            )
        extra = {**settings.submit_options, "batch_name": name}
        return HTCondorCluster(disk=settings.disk, job_extra_directives=extra, **options)


@contextlib.contextmanager
def connected(address: str, settings: SchedulerSettings) -> Iterator[Client]:
    """Connect a client to the scheduler at `address`; raise ClusterError if it does not answer within ten seconds."""
    url = urlsplit(address)
    security = None
    if url.scheme == "tls":
        if settings.tls is None:
            raise ConfigurationError(f"{address} needs certificates; name them as [tls] in --cluster-config.")
        paths = [path.expanduser() for path in vars(settings.tls).values()]
        if missing := [path for path in paths if not path.is_file()]:
            raise ConfigurationError(f"There is no file {missing[0]}; correct [tls] in --cluster-config.")
        ca_file, cert_file, key_file = map(str, paths)
        security = Security(
            tls_ca_file=ca_file, tls_client_cert=cert_file, tls_client_key=key_file, require_encryption=True
        )
    elif is_exposed(address) and not settings.unencrypted:
        raise ConfigurationError(
            f"{address} is on another machine, and not encrypted; give a tls:// address, or set unencrypted = true in "
            "--cluster-config, if you trust everybody on the network."
        )
    _require_answer(address, security)
    with Client(address, security=security, timeout=CONNECT_SECONDS) as client:
        exposed = [] if settings.unencrypted else [worker for worker in client.nthreads() if is_exposed(worker)]
        if exposed:
            raise ConfigurationError(
                f"The worker at {exposed[0]} talks to other machines, and not encrypted; start it, and its scheduler, "
                "with --host 127.0.0.1 or with certificates, or set unencrypted = true in --cluster-config, if you "
                "trust everybody on the network."
            )
        yield client


def _require_answer(address: str, security: Security | None) -> None:
    """Raise ClusterError unless a scheduler answers; Dask's own timeouts do not cover one that stays silent."""
    answer = queue.SimpleQueue[Exception | None]()

    async def ask() -> None:
        arguments = {} if security is None else security.get_connection_args("client")
        async with rpc(address, timeout=CONNECT_SECONDS, connection_args=arguments) as scheduler:
            await scheduler.identity()

    def run() -> None:
        try:
            asyncio.run(ask())
            answer.put(None)
        except Exception as error:
            answer.put(error)

    threading.Thread(target=run, daemon=True).start()
    cause = f"nothing within {CONNECT_SECONDS} s"
    with contextlib.suppress(queue.Empty):
        # Dask tries to connect for the same time, and then raises the cause.
        error = answer.get(timeout=CONNECT_SECONDS + 1)
        if error is None:
            return
        message = re.sub(r" in <[^>]*>", "", str(error.__cause__ or error))  # without Dask's objects
        cause = " ".join(message.split()) or type(error).__name__
    raise ClusterError(
        f"The scheduler at {address} does not answer ({cause}); start one with `dask scheduler`, or correct the "
        "address."
    )
