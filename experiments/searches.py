"""Experiments that search: they run glojax's command line, go on after a stop, and keep the result as a record.

The losses that a search finds are then trained for longer, beside the paper's losses, with seeds that neither the
search nor the choice of its finalists has used.

The record of a search has the fields search (the command), options and resolved (both as in the run's `config.json`,
without paths) and outcome: result, hall_of_fame, generations and tuning. Records made before options held the
description of a training have, in place of resolved, the field config with it.
"""

import shlex
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from matplotlib.axes import Axes

from experiments.records import Records, record_of, write_record
from experiments.report import mean_and_sd
from experiments.script import CommonOptions, Options
from glojax.errors import GlojaxError
from glojax.files import user_cache
from glojax.search.__main__ import main as search
from glojax.search.config_file import read_config
from glojax.search.run import HALL_OF_FAME_SIZE
from glojax.search.saved_run import load_run

#: Exit codes of a run that was interrupted or terminated.
_STOPPED = (130, 143)


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Options, ABC):
    """Options of a search, and of the trainings of its best losses."""

    #: Number of seeds with which the search chooses between its finalists.
    FINALIST_SEEDS: ClassVar[int]

    seed: int = 0
    """Seed of the search."""

    fitness_steps: int
    """Steps after which a candidate's validation accuracy is its fitness."""

    steps: int = 2000
    """Steps of the trainings of the best losses, on all images."""

    seeds: int = 1
    """Number of fresh seeds of these trainings."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The path of the search's record, below the folder of the results and without suffix."""

    @property
    def fresh_seeds(self) -> range:
        """Seeds that the search has not used: it uses its own, and the next ones for its finalists."""
        first = self.seed + 1 + self.FINALIST_SEEDS
        return range(first, first + self.seeds)

    def outcome(self, records: Records) -> dict[str, Any] | None:
        """Return the outcome of the search; None before it has run."""
        record = records.search(self.name)
        return None if record is None else record["outcome"]

    @property
    def columns(self) -> tuple[str, ...]:
        """The header of a table with losses, their fitness and the cells of `measured`."""
        fitness, validation = f"fitness ({self.fitness_steps} steps)", f"validation after {self.steps:,} steps"
        return "loss", fitness, validation, "test", "seeds"

    def measured(self, records: Records, loss: str) -> tuple[str, str, int]:
        """Return cells of a table: validation and test accuracy of a loss with the fresh seeds, and their number."""
        training = self.training(loss, self.steps)
        validation, test = (
            records.accuracies(training, self.steps, split, self.fresh_seeds) for split in ("validation", "test")
        )
        return mean_and_sd(validation), mean_and_sd(test), len(test)


def draw_generations(axes: Axes, generations: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> None:
    """Draw a line over the generations for each field, by its label."""
    numbers = [generation["generation"] for generation in generations]
    for (label, field), style in zip(fields.items(), ("-o", "--s"), strict=True):
        axes.plot(numbers, [generation[field] for generation in generations], style, color="0.2", label=label)


def record_search(options: CommonOptions, name: str, command: Sequence[str], arguments: Sequence[str]) -> None:
    """Run a search to its end, and write its record, unless there is one.

    Until then the run directory is in the user's cache folder. A run that was stopped goes on.

    Args:
        options: Options of the experiment.
        name: The path of the record, below the folder of the results and without suffix.
        command: The command that makes the record again.
        arguments: Arguments for `python -m glojax.search`, without the data's folder, devices and run directory.

    Raises:
        KeyboardInterrupt: The user stopped it.
        GlojaxError: It failed, and printed the cause.
    """
    path = options.results / f"{name}.json"
    if path.exists():
        return
    data_dir = [f"--data-dir={options.data_dir}"] if options.data_dir else []
    directory = user_cache() / "experiments" / name
    devices = [f"--devices={options.devices}"] if options.devices else []
    if (directory / "config.json").exists():
        code = search(["resume", str(directory), *devices])
    else:
        # A process that was killed before its first file was complete leaves a folder.
        shutil.rmtree(directory, ignore_errors=True)
        code = search([*arguments, *data_dir, *devices, "--run-dir", str(directory)])
    if code in _STOPPED:
        raise KeyboardInterrupt
    if code != 0:
        raise GlojaxError(f"The search in {directory} ended with code {code}; see above. To start anew, delete it.")
    fields, seconds = _search_fields(directory)
    write_record(path, record_of(shlex.join(command), fields, seconds))
    shutil.rmtree(directory)


def _search_fields(directory: Path) -> tuple[dict[str, Any], float]:
    """Return the fields of a record from a run directory, without paths and times; and the seconds of the search."""
    run = load_run(directory)
    generations, tuning = ([asdict(record) for record in records] for records in (run.generations, run.tuning))
    seconds = sum(record.pop("seconds") for record in generations + tuning)
    fame = [
        {"fitness": one.fitness, "size": one.tree.size, "expression": one.expression}
        for one in run.hall_of_fame[:HALL_OF_FAME_SIZE]
    ]
    outcome = {"result": run.result, "hall_of_fame": fame, "generations": generations, "tuning": tuning}
    fields = {
        "search": run.command,
        "options": {name: value for name, value in run.options.items() if name != "data_dir"},
        "resolved": {
            name: value for name, value in read_config(directory)["resolved"].items() if name != "dataset_origin"
        },
        "outcome": outcome,
    }
    return fields, seconds
