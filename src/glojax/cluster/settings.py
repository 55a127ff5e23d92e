"""Settings of clusters, and the state of a cluster's workers."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from glojax.errors import ConfigurationError

_KINDS: Final = ("local:N", "slurm", "htcondor", "tcp://HOST:PORT", "tls://HOST:PORT")


class ClusterProgress(NamedTuple):
    """Numbers of workers that can be given work, of shards in flight, and of retried shards."""

    workers: int
    in_flight: int
    retries: int


@dataclass(frozen=True)
class Limits:
    """The size of a shard, and the time after which it is late: factor times expected duration, plus slack.

    Attributes:
        shard_seconds: Expected duration of the largest shard with more than one training for each device.
        first_seconds: Time limit while the speed of a worker is unknown: it loads the data set, and compiles.
        slack_seconds: Time added to the limit of each shard.
        slack_factor: Factor of the duration if every training takes all steps, once more for each retry.
    """

    shard_seconds: float = 10.0
    first_seconds: float = 900.0
    slack_seconds: float = 60.0
    slack_factor: float = 4.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"limits.{name} is {value}; expected a positive number.")


@dataclass(frozen=True)
class LocalSettings:
    """Settings of worker processes on this machine.

    Attributes:
        memory: Memory of each worker, such as "4GB"; a worker that needs more is ended. None for an equal share.
        limits: Limits of shards.
    """

    memory: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class TlsFiles:
    """Certificates and key of a running scheduler, as PEM files."""

    ca_file: Path
    cert_file: Path
    key_file: Path


@dataclass(frozen=True)
class SchedulerSettings:
    """Settings of a running scheduler.

    Attributes:
        tls: Certificates, for an address that begins with tls://.
        unencrypted: Whether messages to a scheduler on another machine may be unencrypted.
        limits: Limits of shards.
    """

    tls: TlsFiles | None = None
    unencrypted: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Settings of jobs on a batch system; each job is one worker.

    Attributes:
        jobs: Number of jobs that are kept running.
        cores: CPU cores of each job.
        memory: Memory of each job, such as "8GB".
        walltime: Slurm's time limit of a job, into which a training must fit; by default half an hour.
        queue: Slurm's partition.
        account: Slurm's account.
        disk: Disk space of each HTCondor job.
        directives: Further options of sbatch, such as "--gres=gpu:1".
        submit_options: Further lines of HTCondor's submit file, such as request_gpus = "1".
        prologue: Commands to run before the worker starts, such as "module load cuda".
        python: The interpreter on the nodes; by default this one.
        host: Name or IP address where the scheduler listens; by default only this machine can reach it.
        interface: Network interface where the scheduler listens instead, such as "ib0".
        log_folder: Where jobs write their output; by default nowhere.
        shared_folder: A folder that the nodes can read, for the keys of the run; by default in the user's cache.
        limits: Limits of shards.
    """

    jobs: int = 2
    cores: int = 1
    memory: str = "4GB"
    walltime: str | None = None
    queue: str | None = None
    account: str | None = None
    disk: str = "1GB"
    directives: list[str] = field(default_factory=list)
    submit_options: dict[str, str] = field(default_factory=dict)
    prologue: list[str] = field(default_factory=list)
    python: str | None = None
    host: str | None = None
    interface: str | None = None
    log_folder: Path | None = None
    shared_folder: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("jobs", "cores"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}; expected a whole number of at least 1.")
        if self.host is not None and self.interface is not None:
            raise ConfigurationError("host and interface exclude each other; give one of them.")


Settings: TypeAlias = LocalSettings | SchedulerSettings | BatchSettings


def settings_type(cluster: str) -> type[Settings]:
    """Return the type of the settings of a cluster: local:N, slurm, htcondor, or the address of a scheduler."""
    if cluster in ("slurm", "htcondor"):
        return BatchSettings
    if re.fullmatch(r"local:[1-9]\d{0,3}", cluster):
        return LocalSettings
    with contextlib.suppress(ValueError):
        where = urlsplit(cluster)
        if where.scheme in ("tcp", "tls") and where.hostname and where.port and not where.path:
            return SchedulerSettings
    raise ConfigurationError(f"--cluster is {cluster!r}; expected one of {', '.join(_KINDS)}.")
