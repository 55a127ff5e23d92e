"""Searches on the command line of glojax, gone on with after a stop, and read into records."""

import csv
import json
import shlex
import shutil
import time
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
    places += [f"--devices={options.devices}"] if options.devices else []
    directory = platformdirs.user_cache_path("glojax") / "experiments" / name
    begun = (directory / "config.json").exists()
    start = time.perf_counter()
    code = search(["resume", str(directory)] if begun else [*arguments, *dataset, *places, "--run-dir", str(directory)])
    if code in _STOPPED:
        raise KeyboardInterrupt
    if code != 0:
        raise GlojaxError(f"The search in {directory} ended with code {code}; see above. Delete it to start anew.")
    record = record_of(shlex.join([*command, *dataset]), _outcome(directory), time.perf_counter() - start)
    write_record(path, record)
    shutil.rmtree(directory)


def _outcome(directory: Path) -> dict[str, Any]:
    """What a run directory says, without times."""
    config = json.loads((directory / "config.json").read_text())
    lines = {
        name: [json.loads(line) for line in (directory / f"{name}.jsonl").read_text().splitlines()]
        for name in ("generations", "tuning")
        if (directory / f"{name}.jsonl").exists()
    }
    for line in (line for each in lines.values() for line in each):
        line.pop("seconds")
    fame = directory / "hall_of_fame.csv"
    resolved = {name: value for name, value in config["resolved"].items() if name != "dataset_origin"}
    return {
        "search": config["command"],
        "config": resolved,
        "outcome": {
            "result": json.loads((directory / "result.json").read_text()),
            "hall_of_fame": list(csv.DictReader(fame.read_text().splitlines())) if fame.exists() else [],
            **lines,
        },
    }
