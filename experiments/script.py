"""What all scripts of experiments share: options, the run of whatever is missing, and the end."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tyro
from rich.console import Console

from experiments.records import RESULTS, Records
from experiments.report import Report
from experiments.runner import train_all
from experiments.trainings import Training, without_covered
from glojax.errors import GlojaxError
from glojax.evaluation import keep_compiled_programs, training_devices
from glojax.search.recipes import OWN_RECIPE, RECIPES


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where data and records are, and what trains."""

    data_dir: Path | None = None
    """Folder with the data set's original files, or one prepared by tensorflow-datasets. By default the cache."""

    results: Path = RESULTS
    """Folder for the records."""

    devices: int | None = None
    """How many devices train: GPUs where there are some, else CPU cores. By default all."""


@dataclass(frozen=True, kw_only=True)
class Options(Places):
    """Options of an experiment on MNIST or, to try it, on something else."""

    dataset: str = "mnist"
    """Data set: digits (built in), mnist, fashion_mnist, cifar10, or a path that ends in .npz."""

    @property
    def learning_rate(self) -> float:
        """The data set's own."""
        return RECIPES.get(self.dataset, OWN_RECIPE).learning_rate

    def training(self, loss: str, steps: int, seed: int = 0) -> Training:
        """On the data set, at its own learning rate."""
        return Training(loss=loss, steps=steps, learning_rate=self.learning_rate, dataset=self.dataset, seed=seed)


OptionsT = TypeVar("OptionsT", bound=Places)

#: What an experiment asks for, which may be more once there are records of some of it.
Wanted = Callable[[OptionsT, Records], Sequence[Training]]


def run_script(
    options_type: type[OptionsT],
    wanted: Wanted[OptionsT],
    report: Callable[[OptionsT, Records], Report],
    description: str | None,
    arguments: Sequence[str] | None,
    *,
    first: Callable[[OptionsT], None] = lambda options: None,
) -> int:
    """Do what a script asks for and has no record yet, and print what it came to.

    Args:
        options_type: From these the command line is derived.
        wanted: What the script asks for.
        report: What it came to.
        description: What its help says.
        arguments: Of the command line; None for the process's own.
        first: What is to be done before anything is trained.

    Returns:
        The exit code: 0, 2 for a user's mistake, or 130 for an interruption.
    """
    try:
        options = tyro.cli(options_type, args=arguments, description=description)
        keep_compiled_programs()
        first(options)
        records = train_missing(options, wanted, Console())
        print(report(options, records).text)
    except GlojaxError as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def train_missing(options: OptionsT, wanted: Wanted[OptionsT], console: Console) -> Records:
    """Train until nothing is missing."""
    records = Records(options.results)
    devices = training_devices(options.devices)
    while missing := without_covered(records.missing(wanted(options, records))):
        console.print(f"{len(missing)} trainings to do, on {len(devices)} devices.", highlight=False)
        train_all(missing, records, options.data_dir, devices, console)
    return records


def start(main: Callable[[], int]) -> None:
    """Be a process: told to end, it saves what it is at, as when interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads may still be inside XLA, which does not survive the interpreter's ordinary end.
    os._exit(exit_code)
