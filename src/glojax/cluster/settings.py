"""Settings of clusters, and the state of a cluster's workers."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from glojax.errors import ConfigurationError, in_one_line
from glojax.evaluation.runtime import MAX_DEVICES

CONNECT_SECONDS: Final = 10  #: How long a scheduler may take to answer.
MAX_WORKERS: Final = 10_000  #: How many workers a cluster may have.

LOOPBACK: Final = "127.0.0.1"

#: Dask's schedulers and workers always have a web server: only their machine reaches it, and the port is a free one.
NO_DASHBOARD: Final = f"{LOOPBACK}:0"

_AMOUNT: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([KMGT])(i?)B?", re.IGNORECASE)
_LEAST_BYTES: Final = 10**8  # A worker needs more than that to import JAX.

MAX_LIMIT: Final = 1e8  #: The longest limit of a shard: about three years.

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
            if not 0 < value <= MAX_LIMIT:
                raise ConfigurationError(
                    f"limits.{name} is {str(value)[:20]}; expected a positive number of at most {MAX_LIMIT:g}."
                )


@dataclass(frozen=True)
class LocalSettings:
    """Settings of worker processes on this machine."""

    #: Memory of each worker, such as "4GB"; a worker that needs more is ended. None for an equal share.
    memory: str | None = None
    limits: Limits = field(default_factory=Limits)  #: Limits of shards

    def __post_init__(self) -> None:
        _require_amounts(memory=self.memory)


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
    #: Whether the batch system is asked for the memory, which some sites refuse; a worker that needs more is ended.
    request_memory: bool = True
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
    #: Where the logs of jobs stay; by default they are in `shared_folder`, and removed with the keys.
    log_folder: Path | None = None
    #: A folder that the nodes can reach, for the keys of the run, while it lasts; by default in the user's cache.
    shared_folder: Path | None = None
    limits: Limits = field(default_factory=Limits)  #: Limits of shards

    def __post_init__(self) -> None:
        for name, most in (("jobs", MAX_WORKERS), ("cores", MAX_DEVICES)):
            if not 1 <= (value := getattr(self, name)) <= most:
                raise ConfigurationError(f"{name} is {value}; expected a whole number from 1 to {most}.")
        _require_amounts(memory=self.memory, disk=self.disk)
        for name in ("python", "shared_folder", "log_folder"):
            path = str(getattr(self, name) or "")
            if "\\" in path or not path.isprintable():
                raise ConfigurationError(
                    f"{name} is {path!r}; expected a path without backslashes and control characters."
                )
        if self.host is not None and self.interface is not None:
            raise ConfigurationError("host and interface exclude each other; give one of them.")


Settings: TypeAlias = LocalSettings | SchedulerSettings | BatchSettings


def settings_type(cluster: str) -> type[Settings]:
    """Return the type of the settings of a cluster: local:N, slurm, htcondor, or the address of a scheduler."""
    if cluster in ("slurm", "htcondor"):
        return BatchSettings
    if local := re.fullmatch(r"local:([1-9]\d{0,99})", cluster):
        if int(local[1]) > MAX_DEVICES:
            raise ConfigurationError(f"--cluster is {cluster!r}; expected at most local:{MAX_DEVICES}.")
        return LocalSettings
    with contextlib.suppress(ValueError):
        where = urlsplit(cluster)
        if where.scheme in ("tcp", "tls") and where.hostname and where.port and not where.path:
            return SchedulerSettings
    raise ConfigurationError(f"--cluster is {cluster!r}; expected one of {', '.join(_KINDS)}.")


@contextlib.contextmanager
def checked_settings() -> Iterator[None]:
    """Raise ConfigurationError if Dask rejects the settings of a cluster."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigurationError(
            f"The cluster cannot be started ({in_one_line(error)}); correct --cluster-config."
        ) from error


def _require_amounts(**amounts: str | None) -> None:
    """Raise ConfigurationError for the first amount of memory or disk space that is not one; None passes."""
    for name, text in amounts.items():
        parts = _AMOUNT.fullmatch("1GB" if text is None else text)
        number, unit, binary = parts.groups() if parts else ("0", "K", "")
        if float(number) * (1024 if binary else 1000) ** ("KMGT".index(unit.upper()) + 1) < _LEAST_BYTES:
            raise ConfigurationError(
                f'{name} is {text!r}; expected a number with a unit, such as "4GB" or "512MB", and at least "100MB".'
            )
