"""Starts worker processes on this machine, or jobs on a batch system, or connects to a running scheduler."""

import asyncio
import contextlib
import logging
import queue
import re
import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import dask
from distributed import Client, LocalCluster, Security
from distributed.core import rpc

from glojax.cluster.batch import batch_workers
from glojax.cluster.settings import (
    CONNECT_SECONDS,
    LOOPBACK,
    NO_DASHBOARD,
    BatchSettings,
    LocalSettings,
    SchedulerSettings,
    Settings,
    checked_settings,
)
from glojax.cluster.worker import is_exposed
from glojax.cluster.worker_pool import WorkerPool
from glojax.errors import ClusterError, ConfigurationError
from glojax.evaluation.runtime import num_cores
from glojax.files import expanded

#: Settings of Dask: it drops lost workers sooner, leaves failures of tasks to `ClusterPool`, and its web servers have
#: no pages.
_DASK: Final = {
    "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
    "distributed.deploy.lost-worker-timeout": "5s",
    "distributed.scheduler.allowed-failures": 10,
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,  # as in the scripts of jobs
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.scheduler.worker-ttl": "120s",
}


@contextlib.contextmanager
def open_workers(cluster: str, settings: Settings, num_devices: int | None = None) -> Iterator[WorkerPool]:
    """Start a cluster, or connect to one; end its workers at the end of the `with` statement, if it was started."""
    with dask.config.set(_DASK), _silent():
        if isinstance(settings, LocalSettings):
            number = int(cluster.removeprefix("local:"))
            cores = num_devices or max(1, num_cores() // number)
            with _local(number, settings) as client:
                yield WorkerPool(client, cores, share_machine=True)
        elif isinstance(settings, BatchSettings):
            with batch_workers(cluster, settings) as (client, require_jobs):
                yield WorkerPool(client, num_devices or settings.cores, require_jobs=require_jobs)
        else:
            with connected(cluster, settings) as client:
                yield WorkerPool(client, num_devices, is_shared=True, allow_exposed=settings.unencrypted)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Silence Dask's loggers in this process; its clusters silence handlers instead, which may be the user's."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "distributed.gc", "bokeh")]
    before = [(logger.level, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
        logger.handlers, logger.propagate = [], True
    try:
        yield
    finally:
        for logger, (level, logger.handlers, logger.propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _local(number: int, settings: LocalSettings) -> Iterator[Client]:
    """Start child processes. Only this machine reaches them, hence without encryption."""
    # By default each worker has an equal share of the machine's memory.
    memory = {} if settings.memory is None else {"memory_limit": settings.memory}
    with checked_settings():
        cluster = LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            host=LOOPBACK,
            dashboard_address=NO_DASHBOARD,
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            **memory,
        )
    with cluster, Client(cluster, timeout=CONNECT_SECONDS) as client:
        # Dask gives up a worker that fails twice within its timeout; `adapt` replaces it.
        cluster.adapt(minimum=number, maximum=number)
        yield client


@contextlib.contextmanager
def connected(address: str, settings: SchedulerSettings) -> Iterator[Client]:
    """Connect a client to the scheduler at `address`; raise ClusterError if it does not answer within ten seconds."""
    url = urlsplit(address)
    security = None
    if url.scheme == "tls":
        if settings.tls is None:
            raise ConfigurationError(f"{address} needs certificates; name them as [tls] in --cluster-config.")
        paths = [expanded(path) for path in vars(settings.tls).values()]
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
