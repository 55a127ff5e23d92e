"""What all scripts of experiments share: options, the run of whatever is missing, and the end."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import jax
import tyro
from rich.console import Console

from experiments.records import RESULTS, Records
from experiments.runner import train_all
from experiments.trainings import Training, without_covered
from glojax.errors import GlojaxError
from glojax.search.__main__ import prepare_jax
from glojax.search.config import OWN_RECIPE, RECIPES


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


OptionsT = TypeVar("OptionsT", bound=Places)

#: What an experiment asks for, which may be more once there are records of some of it.
Wanted = Callable[[OptionsT, Records], Sequence[Training]]


def run_script(
    options_type: type[OptionsT],
    wanted: Wanted[OptionsT],
    description: str | None,
    arguments: Sequence[str] | None = None,
) -> int:
    """Do what a script asks for and has no record yet.

    Args:
        options_type: From these the command line is derived.
        wanted: What the script asks for.
        description: What its help says.
        arguments: Of the command line; None for the process's own.

    Returns:
        The exit code: 0, 2 for a user's mistake, or 130 for an interruption.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options = tyro.cli(options_type, args=arguments, description=description)
        prepare_jax(options.devices)
        train_missing(options, wanted, Console())
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
    devices = jax.local_devices()[: options.devices]
    while missing := without_covered(records.missing(wanted(options, records))):
        console.print(f"{len(missing)} trainings to do, on {len(devices)} devices.", highlight=False)
        train_all(missing, records, options.data_dir, devices, console)
    console.print(f"All records are in {options.results}.", highlight=False, soft_wrap=True)
    return records


def leave(exit_code: int) -> None:
    """End the process, though threads may still be inside XLA."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
