"""Searches on the command line of glojax, gone on with after a stop, and read into records."""

import csv
import json
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import platformdirs

from experiments.records import record_of, write_record
from experiments.script import Options
from glojax.errors import GlojaxError
from glojax.search.__main__ import main as search

#: Exit codes of a run that was interrupted or told to end.
_STOPPED = (130, 143)


def record_search(options: Options, name: str, command: Sequence[str], arguments: Sequence[str]) -> None:
    """Run a search to its end, and write its record, unless there is one.

    The run directory is in the user's cache folder until then. A run that was stopped goes on.

    Args:
        options: What to search on, and where data and records are.
        name: Of the record, below the folder of the results.
        command: What makes it again, the data set left out.
        arguments: For `python -m glojax.search`, data set, devices and run directory left out.

    Raises:
        KeyboardInterrupt: The user stopped it.
        GlojaxError: It failed; it has said why.
    """
    path = options.results / f"{name}.json"
    if path.exists():
        return
    dataset = ["--dataset", options.dataset]
    places = [f"--data-dir={options.data_dir}"] if options.data_dir else []
    directory = platformdirs.user_cache_path("glojax") / "experiments" / name
    devices = [f"--devices={options.devices}"] if options.devices else []
    if (directory / "config.json").exists():
        code = search(["resume", str(directory), *devices])
    else:
        # What a process has left that was killed before its first file was whole.
        shutil.rmtree(directory, ignore_errors=True)
        code = search([*arguments, *dataset, *places, *devices, "--run-dir", str(directory)])
    if code in _STOPPED:
        raise KeyboardInterrupt
    if code != 0:
        raise GlojaxError(f"The search in {directory} ended with code {code}; see above. To start anew, delete it.")
    outcome, seconds = _outcome(directory)
    write_record(path, record_of(shlex.join([*command, *dataset]), outcome, seconds))
    shutil.rmtree(directory)


def _outcome(directory: Path) -> tuple[dict[str, Any], float]:
    """What a run directory says, without times; and how many seconds its generations took."""
    config = json.loads((directory / "config.json").read_text())
    lines = {
        name: [json.loads(line) for line in (directory / f"{name}.jsonl").read_text().splitlines()]
        for name in ("generations", "tuning")
        if (directory / f"{name}.jsonl").exists()
    }
    seconds = sum(line.pop("seconds") for each in lines.values() for line in each)
    fame = directory / "hall_of_fame.csv"
    resolved = {name: value for name, value in config["resolved"].items() if name != "dataset_origin"}
    # The data's folder is one machine's own.
    options = {name: value for name, value in config["options"].items() if name != "data_dir"}
    record = {
        "search": config["command"],
        "options": options,
        "config": resolved,
        "outcome": {
            "result": json.loads((directory / "result.json").read_text()),
            "hall_of_fame": list(csv.DictReader(fame.read_text().splitlines())) if fame.exists() else [],
            **lines,
        },
    }
    return record, seconds
