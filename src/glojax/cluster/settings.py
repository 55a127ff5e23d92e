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
    """The size of a shard, and the time after which it is late: factor times expected duration, plus slack."""

    shard_seconds: float = 10.0  #: Expected duration of the largest shard with more than one training for each device
    #: Time limit while the speed of a worker is unknown: it loads the data set, and compiles.
    first_seconds: float = 900.0
    slack_seconds: float = 60.0  #: Time added to the limit of each shard
    slack_factor: float = 4.0  #: Factor of the duration if every training takes all steps, once more for each retry

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"limits.{name} is {value}; expected a positive number.")


@dataclass(frozen=True)
class LocalSettings:
    """Settings of worker processes on this machine."""

    #: Memory of each worker, such as "4GB"; a worker that needs more is ended. None for an equal share.
    memory: str | None = None
    limits: Limits = field(default_factory=Limits)  #: Limits of shards


@dataclass(frozen=True)
class TlsFiles:
    """Certificates and key of a running scheduler, as PEM files."""

    ca_file: Path
    cert_file: Path
    key_file: Path


@dataclass(frozen=True)
class SchedulerSettings:
    """Settings of a running scheduler."""

    tls: TlsFiles | None = None  #: Certificates, for an address that begins with tls://
    unencrypted: bool = False  #: Whether messages between machines may be unencrypted
    limits: Limits = field(default_factory=Limits)  #: Limits of shards


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Settings of jobs on a batch system; each job is one worker."""

    jobs: int = 2  #: Number of jobs that are kept running
    cores: int = 1  #: CPU cores of each job
    memory: str = "4GB"  #: Memory of each job, such as "8GB"
    walltime: str | None = None  #: Slurm's time limit of a job, into which a training must fit; by default half an hour
    queue: str | None = None  #: Slurm's partition
    account: str | None = None  #: Slurm's account
    disk: str = "1GB"  #: Disk space of each HTCondor job
    directives: list[str] = field(default_factory=list)  #: Further options of sbatch, such as "--gres=gpu:1"
    #: Further lines of HTCondor's submit file, such as request_gpus = "1".
    submit_options: dict[str, str] = field(default_factory=dict)
    #: Commands to run before the worker starts, such as "module load cuda".
    prologue: list[str] = field(default_factory=list)
    python: str | None = None  #: The interpreter on the nodes; by default this one
    #: Name or IP address where the scheduler listens; by default only this machine can reach it.
    host: str | None = None
    interface: str | None = None  #: Network interface where the scheduler listens instead, such as "ib0"
    log_folder: Path | None = None  #: Where jobs write their output; by default nowhere
    #: A folder that the nodes can read, for the keys of the run; by default in the user's cache.
    shared_folder: Path | None = None
    limits: Limits = field(default_factory=Limits)  #: Limits of shards

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
