"""The command line's options of a run's execution, the first time and when it goes on."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from glojax.cluster.settings import settings_type
from glojax.errors import ConfigurationError
from glojax.search.checks import require_at_least

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")

#: Seconds of the longest time limit: about three years.
_LONGEST = 1e8


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """Options of a run's execution, which do not change its results."""

    devices: int | None = None
    """How many devices train: GPUs where there are some, else CPU cores. By default all."""

    time_limit: str | None = None
    """End the run after this time, such as 3h, 90m or 1h30m, so that it can be resumed. By default it runs to its
    end."""

    cluster: str | None = None
    """Train on other processes or machines: local:N for N workers on this one, slurm, htcondor, or the address of a
    Dask scheduler that stands already, tcp://HOST:PORT. By default in this process. --devices is then how
    many CPU cores each worker trains on."""

    cluster_config: Path | None = None
    """TOML file with the cluster's settings; examples are in examples/cluster."""

    profile: Path | None = None
    """Folder for a trace of the whole run by JAX's profiler, which TensorBoard and Perfetto show; for short runs."""

    def __post_init__(self) -> None:
        require_at_least(1, devices=self.devices)
        _ = self.time_limit_seconds
        if self.cluster is not None:
            settings_type(self.cluster)
        elif self.cluster_config is not None:
            raise ConfigurationError("--cluster-config goes with --cluster; say which cluster it is for.")
        if self.cluster is not None and self.profile is not None:
            raise ConfigurationError(
                "--profile traces this process, and with --cluster others train; drop one of them."
            )

    @property
    def time_limit_seconds(self) -> float | None:
        """The time limit in seconds."""
        if self.time_limit is None:
            return None
        parts = _DURATION.fullmatch(self.time_limit.strip().lower())
        seconds = (
            sum(int(part) * unit for part, unit in zip(parts.groups("0"), (3600, 60, 1), strict=True)) if parts else 0
        )
        if not 0 < seconds <= _LONGEST:
            raise ConfigurationError(
                f"--time-limit is {self.time_limit!r}; expected hours, minutes and seconds, such as 3h, 90m or 1h30m."
            )
        return seconds

    @property
    def cluster_in_words(self) -> str:
        """The options of the cluster in a command that goes on with the run."""
        options = {"--cluster": self.cluster, "--cluster-config": self.cluster_config}
        given = {name: str(value) for name, value in options.items() if value is not None}
        return "".join(f" {name} {shlex.quote(value)}" for name, value in given.items())


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Options of a run that goes on."""

    run_dir: tyro.conf.Positional[Path]
    """The folder of the run."""

    generations: int | None = None
    """Go on to this many generations, also if the run is finished; only what is new is trained. By default those that
    the run began with."""

    allow_version_change: bool = False
    """Go on although libraries, data set or device differ from those that the run began with; config.json then says
    so."""

    execution: Annotated[ExecutionOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=ExecutionOptions)

    def __post_init__(self) -> None:
        require_at_least(1, generations=self.generations)
