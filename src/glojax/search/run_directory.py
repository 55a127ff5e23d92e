"""A run's results as files that people can read.

    config.json         every option, resolved, with versions and devices
    generations.jsonl   a line for each generation
    tuning.jsonl        a line for each loss under tuning and generation
    candidates.jsonl    a line for each loss function ever evaluated
    hall_of_fame.csv    the best distinct losses of the discovery
    result.json         the best loss, the finalists and the comparison
    summary.png         the search and the comparison as a picture

A whole file is written under another name first, then renamed; a line is appended in one write.
"""

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import jax

from glojax.errors import RunDirectoryError

_PACKAGES = ("glojax", "jax", "jaxlib", "flax", "optax", "evosax", "numpy", "scikit-learn", "scipy")


class RunDirectory:
    """A new or empty folder that a run writes to.

    Args:
        path: The folder; None for a new one under `runs`, named after time and command.
        command: What the run does.

    Raises:
        RunDirectoryError: The folder holds something, is no folder, or cannot be written.
    """

    def __init__(self, path: Path | None, command: str):
        self.path = path or Path("runs")
        try:
            self.path = path or _unused(Path("runs"), f"{datetime.now():%Y%m%d-%H%M%S}-{command}")
            if self.path.exists() and not self.path.is_dir():
                raise RunDirectoryError(f"{self.path} is a file; give a new or empty folder as --run-dir.")
            self.path.mkdir(parents=True, exist_ok=True)
            if any(self.path.iterdir()):
                raise RunDirectoryError(
                    f"Run directory {self.path} is not empty; give a new or empty folder as --run-dir. "
                    "Nothing was changed."
                )
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def write_config(self, command: str, options: dict[str, Any], resolved: dict[str, Any]) -> None:
        """Write `config.json`."""
        self.write_json(
            "config.json",
            {
                "format": 1,
                "command": command,
                "options": options,
                "resolved": resolved,
                "versions": {"python": python_version()} | {name: version(name) for name in _PACKAGES},
                "devices": [str(device) for device in jax.local_devices()],
                "started": datetime.now().astimezone().isoformat(timespec="seconds"),
            },
        )

    def write_json(self, name: str, content: Any) -> None:
        """Write a whole JSON file."""
        self.write_file(name, lambda path: path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8"))

    def write_csv(self, name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Write a whole CSV file."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        self.write_file(name, lambda path: path.write_text(text.getvalue(), encoding="utf-8"))

    def write_file(self, name: str, write: Callable[[Path], object]) -> None:
        """Have `write` make a file under a temporary name, then give it its own."""
        unfinished = self.path / f".unfinished-{name}"
        try:
            write(unfinished)
            os.replace(unfinished, self.path / name)
        except OSError as error:
            raise _unwritable(self.path / name, error) from error
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink()

    def append_line(self, name: str, record: dict[str, Any]) -> None:
        """Append one record to a file of JSON lines."""
        line = (json.dumps(record) + "\n").encode()
        try:
            with open(self.path / name, "ab", buffering=0) as file:
                file.write(line)
        except OSError as error:
            raise _unwritable(self.path / name, error) from error


def _unused(parent: Path, name: str) -> Path:
    """A path that does not exist yet: the name, or the name with a number."""
    path, number = parent / name, 2
    while path.exists():
        path, number = parent / f"{name}-{number}", number + 1
    return path


def _unwritable(path: Path, error: OSError) -> RunDirectoryError:
    return RunDirectoryError(
        f"Cannot write {path}: {error.strerror or error}; make it writable, or give another folder as --run-dir."
    )
