"""How a run is executed: its options, the first time and when it goes on, and its cluster."""

import dataclasses
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import dacite
import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glojax.cluster.settings import Limits, SchedulerSettings, Settings, settings_type
from glojax.errors import ConfigurationError, in_one_line, nearest
from glojax.evaluation.runtime import MAX_DEVICES
from glojax.files import expanded
from glojax.regular_files import read_file
from glojax.terminal import print_text
from glojax.wording import counted

if TYPE_CHECKING:
    from glojax.cluster.worker_pool import WorkerPool

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")

#: Greatest size of a file with a cluster's settings.
_MAX_SETTINGS = 2**20

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
    quiet: bool = False
    """Print the result alone, without progress."""
    profile: Path | None = None
    """Folder for a trace of the whole run by JAX's profiler, which TensorBoard and Perfetto show; for short runs."""
    tensorboard: Path | None = None
    """Folder for an event file with the fitness, the audit and the tuning, which TensorBoard shows as the run goes."""

    def __post_init__(self) -> None:
        require_at_least(1, devices=self.devices)
        if self.devices is not None and self.devices > MAX_DEVICES:
            raise ConfigurationError(f"--devices is {self.devices}; expected at most {MAX_DEVICES}.")
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
    data_dir: Path | None = None
    """Folder or file of the run's data, or a copy; needed where the run began with --data-dir or files of your own."""
    functions: tuple[str, ...] = ()
    """Functions and classes of your own, as package.module:name or file.py:name; needed where the run began with such
    an optimizer, metric or network."""
    execution: Annotated[ExecutionOptions, tyro.conf.OmitArgPrefixes] = field(default_factory=ExecutionOptions)

    def __post_init__(self) -> None:
        require_at_least(1, generations=self.generations)


@dataclass(frozen=True, kw_only=True)
class WorkersOptions:
    """Options of a look at a cluster."""

    cluster: str
    """Address of a scheduler: tcp://HOST:PORT, or tls://HOST:PORT with certificates in --cluster-config."""
    cluster_config: Path | None = None
    """TOML file with the scheduler's settings."""
    execution: tyro.conf.Suppress[ExecutionOptions] = field(default_factory=ExecutionOptions)


def read_settings(cluster: str, path: Path | None) -> Settings:
    """Read the settings of a cluster."""
    wanted = settings_type(cluster)
    if path is None:
        return wanted()
    try:
        given = tomllib.loads(read_file(expanded(path), _MAX_SETTINGS, is_own=False).decode())
        _require_known(given, wanted, path)
        return dacite.from_dict(wanted, given, dacite.Config(cast=[Path], strict=True))
    except (OSError, ValueError, RecursionError) as error:
        cause = in_one_line(error)
        raise ConfigurationError(f"{path} cannot be read as TOML ({cause}); correct --cluster-config.") from error
    except dacite.MissingValueError as error:
        raise ConfigurationError(f"{path} lacks the setting {error.field_path}; add it.") from error
    except dacite.DaciteError as error:
        raise ConfigurationError(f"{path} has a setting of a wrong type: {in_one_line(error)}.") from error


@contextmanager
def open_cluster(execution: ExecutionOptions, console: Console) -> Iterator["tuple[WorkerPool, Limits] | None"]:
    """Start or join the cluster, and wait for a worker; yield the workers and their limits, None without a cluster."""
    if execution.cluster is None:
        yield None
        return
    settings = read_settings(execution.cluster, execution.cluster_config)
    with _workers(execution.cluster, settings, execution.devices) as workers:
        waiting = f"Waiting for a worker of {execution.cluster}, at {workers.address}."
        print_text(waiting, console)
        workers.wait_for_workers(1)
        yield workers, settings.limits


def _workers(cluster: str, settings: Settings, num_devices: int | None) -> AbstractContextManager["WorkerPool"]:
    try:
        from glojax.cluster.launch import open_workers
    except ImportError as error:
        raise ConfigurationError(
            f"--cluster needs packages that are not installed ({error.name or error}): pip install 'glojax[cluster]'"
        ) from error
    return open_workers(cluster, settings, num_devices)


def print_workers(options: WorkersOptions, console: Console) -> None:
    """Print the workers of a cluster: devices, speed, shards done, failures."""
    settings = read_settings(options.cluster, options.cluster_config)
    if not isinstance(settings, SchedulerSettings):
        raise ConfigurationError(f"--cluster is {options.cluster!r}; expected the address of a running scheduler.")
    with _workers(options.cluster, settings, None) as workers:
        reports, failures = workers.reports()
    table = Table(box=None, pad_edge=False)
    for column in ("worker", "host", "process", "devices", "steps/s", "shards", "trainings", "failures"):
        table.add_column(column, justify="left" if column in ("worker", "host", "devices") else "right")
    for address, about in sorted(reports.items()):
        if about is None:
            table.add_row(address, "does not answer")
            continue
        speed = about["steps"] / about["seconds"] if about["seconds"] else 0.0
        counts = (f"{speed:,.0f}", *(str(about[name]) for name in ("shards", "trainings", "failures")))
        table.add_row(address, Text(about["host"]), str(about["pid"]), Text(", ".join(about["devices"])), *counts)
    console.print(table)
    console.print(f"{counted(len(reports), 'worker')}; lost, late or refused: {len(failures)}.", highlight=False)
    latest_of = {failure["host"]: failure["what"] for failure in failures}
    for host, number in Counter(failure["host"] for failure in failures).most_common():
        print_text(f"  {host}: {number}, at last: {latest_of[host]}", console)


def _require_known(given: Mapping[str, Any], settings: Any, path: Path, prefix: str = "") -> None:
    """Raise ConfigurationError for the first unknown key, with the nearest known one."""
    fields: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(settings)}
    for name, value in given.items():
        if name not in fields:
            raise ConfigurationError(
                f"{path} has the unknown setting {prefix}{name}.{nearest(name, fields)} Expected {', '.join(fields)}."
            )
        for inner in (fields[name], *getattr(fields[name], "__args__", ())):
            if dataclasses.is_dataclass(inner) and isinstance(value, dict):
                _require_known(value, inner, path, f"{prefix}{name}.")
