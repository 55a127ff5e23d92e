"""What can be said about a cluster: its kind, its settings, and how it fares."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from glojax.errors import ConfigurationError

KINDS: Final = ("local:N", "slurm", "htcondor", "tcp://HOST:PORT", "tls://HOST:PORT")


class ClusterProgress(NamedTuple):
    """How the workers fare: those that can be given work, shards in flight, and shards given out again."""

    workers: int
    in_flight: int
    retries: int


@dataclass(frozen=True)
class Limits:
    """How much a shard holds, and how long a worker may take for it.

    Attributes:
        shard_seconds: Work that a shard is to hold at most, above one training a device.
        first_seconds: Before the speed of a worker is known: it loads the data set, and compiles.
        slack_seconds: Beyond what a shard is expected to take.
        slack_factor: Times what a shard is expected to take if every training in it goes to its end; a training that is
            tried again, alone, has so many times longer each time.
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
    """Of worker processes on this machine.

    Attributes:
        memory: Of each worker, such as "4GB"; one that needs more is ended. By default its share of the machine's.
        limits: Of shards.
    """

    memory: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class TlsFiles:
    """Certificates and key of a cluster that stands already, as PEM files."""

    ca_file: Path
    cert_file: Path
    key_file: Path


@dataclass(frozen=True)
class StandingSettings:
    """Of a scheduler that stands already.

    Attributes:
        tls: Certificates, for an address that begins with tls://.
        unencrypted: Whether a scheduler on another machine may be talked to without encryption.
        limits: Of shards.
    """

    tls: TlsFiles | None = None
    unencrypted: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Of jobs on a batch system; each is one worker.

    Attributes:
        jobs: How many are kept running.
        cores: Of each job.
        memory: Of each job, such as "8GB".
        walltime: Slurm's time limit of a job, such as "04:00:00", by default half an hour; the next takes its place.
            A training must fit into it.
        queue: Slurm's partition.
        account: Slurm's account.
        disk: HTCondor's disk of each job.
        directives: More of Slurm's options, such as "--gres=gpu:1".
        submit_options: More lines of HTCondor's submit file, such as request_gpus = "1".
        prologue: Commands before the worker starts, such as "module load cuda".
        python: The interpreter on the nodes; by default this one.
        host: Where the scheduler listens: name or number of this machine, as the nodes see it.
        interface: Or the network interface that it listens at, such as "ib0". Without either it is reached from this
            machine only.
        log_folder: Where jobs write their output; by default nowhere.
        shared_folder: A folder that the nodes see, for the keys of the run, which are removed at its end unless it is
            killed; by default the user's cache.
        limits: Of shards.
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


Settings: TypeAlias = LocalSettings | StandingSettings | BatchSettings


def settings_type(cluster: str) -> type[Settings]:
    """What settings a cluster takes.

    Args:
        cluster: local:N, slurm, htcondor, or the address of a scheduler.

    Raises:
        ConfigurationError: It is none of these.
    """
    if cluster in ("slurm", "htcondor"):
        return BatchSettings
    if re.fullmatch(r"local:[1-9]\d{0,3}", cluster):
        return LocalSettings
    with contextlib.suppress(ValueError):
        where = urlsplit(cluster)
        if where.scheme in ("tcp", "tls") and where.hostname and where.port and not where.path:
            return StandingSettings
    raise ConfigurationError(f"--cluster is {cluster!r}; expected one of {', '.join(KINDS)}.")
