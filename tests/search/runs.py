"""Runs of the command line in processes of their own."""

import atexit
import csv
import fcntl
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.compilation import FLAGS
from tests.crash.preloaded import Preloaded

# Programs that compile fast are kept, too, as there are many of them.
ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": FLAGS, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

TIMEOUT_SECONDS = 300


class FinishedRun(NamedTuple):
    """A command that ended.

    Attributes:
        exit_code: The exit code of the process.
        output: Its standard output.
        errors: Its standard error.
        directory: The run directory, in an otherwise empty folder that the command ran in.
    """

    exit_code: int
    output: str
    errors: str
    directory: Path

    @property
    def names(self) -> list[str]:
        """The names of the files, without those that belong to the lock."""
        return sorted(path.name for path in self.directory.iterdir() if not path.name.startswith("."))

    def json(self, name: str) -> Any:
        return json.loads((self.directory / name).read_text())

    def json_lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / name).read_text().splitlines()]

    def csv(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((self.directory / name).read_text().splitlines()))


def with_options(command: Sequence[str], *options: str) -> list[str]:
    """Return a command with options, which take the place of its own of the same names."""
    names = {word for word in options if word.startswith("--")}
    kept: list[str] = []
    is_kept = True
    for word in command:
        is_kept = word not in names if word.startswith("--") else is_kept
        kept += [word] * is_kept
    return [*kept, *options]


def run(folder: Path, *arguments: str, num_devices: int | None = None) -> FinishedRun:
    """Run `python -m glojax.search` in a folder, on this many devices; None for the command's own choice.

    The arguments must not name a run directory.
    """
    devices = () if num_devices is None else ("--devices", str(num_devices))
    return _run(folder, "glojax.search", *arguments, *devices, "--run-dir", "run")


def run_once(name: str, *arguments: str, num_devices: int | None = None) -> FinishedRun:
    """Run a command as `run` does, once for all processes that share the tests; its folder must stay as it is."""
    folder = Path(os.environ["XDG_CACHE_HOME"], "runs", name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    record = folder.with_suffix(".json")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            folder.mkdir()
            record.write_text(json.dumps(run(folder, *arguments, num_devices=num_devices)[:3]))
    exit_code, output, errors = json.loads(record.read_text())
    return FinishedRun(exit_code, output, errors, folder / "run")


def resume(folder: Path) -> FinishedRun:
    """Run `python -m glojax.search resume` for the run in a folder, on one device."""
    return _run(folder, "glojax.search", "resume", "run", "--devices", "1")


def run_on_faulty_layer(folder: Path, operation: str, moment: str, number: int, *arguments: str) -> FinishedRun:
    """Run `python -m glojax.search` in a folder, on a file layer that fails at the given moment."""
    return _run(folder, "tests.crash.faulty_search", operation, moment, str(number), *arguments)


def _run(folder: Path, module: str, *arguments: str) -> FinishedRun:
    settings = environment()
    with tempfile.TemporaryDirectory() as outside:
        paths = [str(Path(outside) / name) for name in ("output", "errors")]
        if _read_by_imports(settings) == _SETTINGS:
            process = preloaded().begin(
                folder, module, *arguments, output=paths[0], errors=paths[1], environment=settings
            )
            exit_code = process.wait(TIMEOUT_SECONDS)
        else:
            with open(paths[0], "w") as out, open(paths[1], "w") as err:
                command = [sys.executable, "-m", module, *arguments]
                exit_code = subprocess.run(
                    command, cwd=folder, env=settings, stdout=out, stderr=err, timeout=TIMEOUT_SECONDS, check=False
                ).returncode
        output, errors = (Path(path).read_text() for path in paths)
    return FinishedRun(exit_code, output, errors, folder / "run")


def environment() -> dict[str, str]:
    """Return the environment of a process that imports glojax and the modules of the tests."""
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return os.environ | ENVIRONMENT | {"PYTHONPATH": paths}


def _read_by_imports(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(("JAX_", "XLA_", "TF", "PYTHON"))}


#: What a preloaded process has read of its environment; one for which it would be otherwise begins from nothing.
_SETTINGS = _read_by_imports(environment())


@functools.cache
def preloaded() -> Preloaded:
    """Return the starter of processes of these tests, which ends with them."""
    started = Preloaded(environment())
    atexit.register(started.close)
    return started
