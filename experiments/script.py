"""The frame of all scripts: options, the trainings that have no record yet, and the report."""

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
from glojax.evaluation import set_up_jax, training_devices
from glojax.search.recipes import recipe_of


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """Options of all scripts: folders and devices."""

    data_dir: Path | None = None
    """Folder with the data set's original files, or one prepared by tensorflow-datasets. By default the cache."""

    results: Path = RESULTS
    """Folder for the records."""

    devices: int | None = None
    """Number of devices that train: GPUs or, without any, CPU cores. By default all."""


@dataclass(frozen=True, kw_only=True)
class Options(CommonOptions):
    """Options of an experiment on MNIST or, to try it, on another data set."""

    dataset: str = "mnist"
    """Data set: digits (built in), mnist, fashion_mnist, cifar10, or a path that ends in .npz."""

    @property
    def learning_rate(self) -> float:
        """The learning rate of the data set's recipe."""
        return recipe_of(self.dataset).training.learning_rate

    def training(self, loss: str, steps: int, seed: int = 0) -> Training:
        """Return a training on the data set at the learning rate of its recipe."""
        return Training(loss=loss, steps=steps, learning_rate=self.learning_rate, dataset=self.dataset, seed=seed)


OptionsT = TypeVar("OptionsT", bound=CommonOptions)

#: Returns the trainings of an experiment, which may be more once there are records of some of them.
Wanted = Callable[[OptionsT, Records], Sequence[Training]]


def no_trainings(options: CommonOptions, records: Records) -> list[Training]:
    """Return no trainings: the experiment needs none."""
    return []


def run_script(
    options_type: type[OptionsT],
    wanted: Wanted[OptionsT],
    report: Callable[[OptionsT, Records], Report],
    description: str | None,
    arguments: Sequence[str] | None = None,
    *,
    first: Callable[[OptionsT], None] = lambda options: None,
) -> int:
    """Do the trainings of a script that have no record yet, and print its report.

    Args:
        options_type: Defines the command line.
        wanted: Returns the trainings of the script.
        report: Returns the report.
        description: The text of --help.
        arguments: Arguments of the command line; None for the process's own.
        first: Called before anything is trained.

    Returns:
        The exit code: 0, 2 for a user's mistake, or 130 for an interruption.
    """
    try:
        options = tyro.cli(options_type, args=arguments, description=description)
        set_up_jax()
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
    """Run a script as a process; SIGTERM stops it as an interruption does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads may still be inside XLA, which does not survive the interpreter's ordinary end.
    os._exit(exit_code)
