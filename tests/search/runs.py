"""Runs of the command line in processes of their own."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple


class FinishedRun(NamedTuple):
    """A command that ended.

    Attributes:
        exit_code: What the process returned.
        output: Its standard output.
        errors: Its standard error.
        directory: The run directory, in an otherwise empty folder that the command ran in.
    """

    exit_code: int
    output: str
    errors: str
    directory: Path

    def json(self, name: str) -> Any:
        return json.loads((self.directory / name).read_text())

    def json_lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / name).read_text().splitlines()]

    def csv(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader((self.directory / name).read_text().splitlines()))


def run(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> FinishedRun:
    """`python -m glojax.search` with these arguments, which must not name a run directory."""
    process = subprocess.run(
        [sys.executable, "-m", "glojax.search", *arguments, "--run-dir", "run"],
        cwd=folder,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return FinishedRun(process.returncode, process.stdout, process.stderr, folder / "run")
