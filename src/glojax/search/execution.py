"""The command line's options of a run's execution, the first time and when it goes on."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from glojax.cluster.settings import settings_type
from glojax.errors import ConfigurationError

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")

#: Seconds of the longest time limit: about three years.
_LONGEST = 1e8


def require_at_least(minimum: int, **values: int | None) -> None:
    """Raise ConfigurationError for the first value below `minimum`; None passes."""
    for name, value in values.items():
        if value is not None and value < minimum:
            flag = "--" + name.replace("_", "-")
            raise ConfigurationError(f"{flag} is {value}; expected a whole number of at least {minimum}.")


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions:
    """Options of a run's execution, which do not change its results."""

    devices: int | None = None
    """How many devices train: GPUs where there are some, else CPU cores. By default all."""

    time_limit: str | None = None
    """End the run after this time, such as 3h, 90m or 1h30m, so that it can be resumed. By default no limit."""

    cluster: str | None = None
    """Train on other processes or machines: local:N for N workers on this one, slurm, htcondor, or the address of a
    running Dask scheduler, tcp://HOST:PORT. --devices is then the number of CPU cores of each worker."""

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
        hours, minutes, seconds = map(int, parts.groups("0")) if parts else (0, 0, 0)
        total = 3600 * hours + 60 * minutes + seconds
        if not 0 < total <= _LONGEST:
            raise ConfigurationError(
                f"--time-limit is {self.time_limit!r}; expected hours, minutes and seconds, such as 3h, 90m or 1h30m."
            )
        return total

    @property
    def cluster_in_words(self) -> str:
        """The options of the cluster in a command that goes on with the run."""
        options = {"--cluster": self.cluster, "--cluster-config": self.cluster_config}
        return "".join(f" {name} {shlex.quote(str(value))}" for name, value in options.items() if value is not None)


@dataclass(frozen=True, kw_only=True)
class ResumeOptions:
    """Options of a run that goes on."""

    run_dir: tyro.conf.Positional[Path]
    """The folder of the run."""

    generations: int | None = None
    """Go on to this many generations, also if the run is finished. By default those that the run began with."""

    allow_version_change: bool = False
    """Go on although libraries, data set or device differ from the run's beginning; config.json then says so."""

    execution: Annotated[ExecutionOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=ExecutionOptions)

    def __post_init__(self) -> None:
        require_at_least(1, generations=self.generations)
