"""Experiments that search: on the command line of glojax, gone on with after a stop, and read into records.

What a search finds is then trained for longer, with seeds that neither the search nor the choice of its finalists has
seen, beside the paper's losses with the same seeds.
"""

import csv
import json
import shlex
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import platformdirs
from matplotlib.axes import Axes

from experiments.records import Records, record_of, write_record
from experiments.report import mean_and_sd
from experiments.script import Options
from glojax.errors import GlojaxError
from glojax.search.__main__ import main as search

#: Exit codes of a run that was interrupted or told to end.
_STOPPED = (130, 143)


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Options, ABC):
    """Of what is found, how much is trained, and with which seeds."""

    #: With which the search chooses between its finalists.
    FINALIST_SEEDS: ClassVar[int]

    seed: int = 0
    """Of the search."""

    fitness_steps: int
    """Steps after which a candidate's validation accuracy is its fitness."""

    steps: int = 2000
    """Steps for which what it finds is trained, on all images."""

    seeds: int = 1
    """Fresh seeds with which it is."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the search's record, below the folder of the results."""

    @property
    def fresh_seeds(self) -> range:
        """Which the search has not seen: it has its own, and those next to it for its finalists."""
        first = self.seed + 1 + self.FINALIST_SEEDS
        return range(first, first + self.seeds)

    def outcome(self, records: Records) -> dict[str, Any] | None:
        """What came of the search; None before it has run."""
        record = records.search(self.name)
        return None if record is None else record["outcome"]

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a table with losses, their fitness, and what `measured` gives of them."""
        fitness, validation = f"fitness ({self.fitness_steps} steps)", f"validation after {self.steps:,} steps"
        return "loss", fitness, validation, "test", "seeds"

    def measured(self, records: Records, loss: str) -> tuple[str, str, int]:
        """Cells of a table: validation and test accuracy of a loss with the fresh seeds, and how many there are."""
        training = self.training(loss, self.steps)
        validation, test = (
            records.accuracies(training, self.steps, split, self.fresh_seeds) for split in ("validation", "test")
        )
        return mean_and_sd(validation), mean_and_sd(test), len(test)


def draw_generations(axes: Axes, generations: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> None:
    """Lines over the generations: of each field, by its label."""
    numbers = [generation["generation"] for generation in generations]
    for (label, field), style in zip(fields.items(), ("-o", "--s"), strict=True):
        axes.plot(numbers, [generation[field] for generation in generations], style, color="0.2", label=label)


def record_search(options: SearchOptions, command: Sequence[str], arguments: Sequence[str]) -> None:
    """Run a search to its end, and write its record, unless there is one.

    The run directory is in the user's cache folder until then. A run that was stopped goes on.

    Args:
        options: What to search on, and where data and records are.
        command: What makes it again, the data set left out.
        arguments: For `python -m glojax.search`, data set, devices and run directory left out.

    Raises:
        KeyboardInterrupt: The user stopped it.
        GlojaxError: It failed; it has said why.
    """
    path = options.results / f"{options.name}.json"
    if path.exists():
        return
    dataset = ["--dataset", options.dataset]
    places = [f"--data-dir={options.data_dir}"] if options.data_dir else []
    directory = platformdirs.user_cache_path("glojax") / "experiments" / options.name
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
