"""The fastest convolution lowering of an accelerator, which is measured once and kept on disk."""

import contextlib
import json
import logging
import math
import statistics
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import jax
import numpy as np

from glojax.expressions import LossTree
from glojax.files import user_cache, write_atomically
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering
from glojax.regular_files import read_json
from glojax.training import Train, computation_identity, train_in_segments

_log = logging.getLogger(__name__)

CHOICES: Final[tuple[ConvolutionLowering, ...]] = ("grouped", "patches", "mapped")

#: Candidates and steps of a measurement, and the number of measurements of each lowering.
CANDIDATES: Final = 8
STEPS: Final = 10
ROUNDS: Final = 3


def fastest_lowering(train: Train, device: jax.Device) -> ConvolutionLowering:
    """Return "canonical" on a CPU; elsewhere the one of `CHOICES` that trains a few candidates in the shortest time.

    A choice is remembered for this network, batch size and kind of device, unless one of the lowerings failed.
    """
    if device.platform == "cpu":
        return "canonical"
    known = _read_choices()
    key = f"{device.device_kind}, jaxlib {version('jaxlib')}, {computation_identity(train)}"
    if known.get(key) in CHOICES:
        return known[key]
    seconds = {lowering: _seconds(replace(train, conv_lowering=lowering), device) for lowering in CHOICES}
    choice = min(CHOICES, key=lambda lowering: seconds[lowering])
    measured = ", ".join(f"{lowering} {1e3 * each:.3g} ms" for lowering, each in seconds.items())
    _log.info("%s: convolutions %s (a step of %d candidates: %s).", device, choice, CANDIDATES, measured)
    # A lowering may have failed only because other programs used the memory.
    if all(map(math.isfinite, seconds.values())):
        with contextlib.suppress(OSError):
            path = choices_path()
            path.parent.mkdir(parents=True, exist_ok=True)
            choices = json.dumps(known | {key: choice}, indent=2) + "\n"
            write_atomically(path, lambda unfinished: unfinished.write_text(choices))
    return choice


def choices_path() -> Path:
    """Return the path of the file with the choices."""
    return user_cache() / "conv_lowerings.json"


def _seconds(train: Train, device: jax.Device) -> float:
    """Measure a step of all candidates, without compilation; infinite if it cannot be run."""
    # One example is evaluated, as whole splits would take longer than the steps.
    split = train.config.splits[0]
    data = {"train": train.data["train"], split: jax.tree.map(lambda array: array[:1], train.data[split])}
    config = replace(train.config, num_steps=STEPS, splits=(split,), evaluate_every=None, patience=None)
    short = replace(train, config=config, data=data)
    programs = LossProgram.from_trees([LossTree.parse("x * y")] * CANDIDATES, capacity=8, domain=train.task.domain)
    rates = np.full(CANDIDATES, 1e-3, np.float32)
    samples = []
    try:
        for _ in range(1 + ROUNDS):
            start = time.perf_counter()
            with jax.default_device(device):
                train_in_segments(short, programs, jax.random.key(0), rates, CANDIDATES)
            samples.append(time.perf_counter() - start)
    except jax.errors.JaxRuntimeError:
        return float("inf")
    return statistics.median(samples[1:]) / STEPS  # the first one compiles


def _read_choices() -> dict[str, ConvolutionLowering]:
    """Return the remembered choices; none if the file cannot be read."""
    try:
        return read_json(choices_path())
    except (OSError, ValueError):
        return {}
