"""How an accelerator computes convolutions: a model of what is fastest, and what is known to be otherwise.

Nothing is tried before a training. The model is that of an H200, where the shipped networks train 1.2 to 2.1 times as
fast with our kernels. What does not compile on a device, and what `benchmarks.gpu_check` measures there, is remembered.
"""

import contextlib
import json
import logging
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import jax

from glojax.files import user_cache, write_atomically
from glojax.networks import ConvolutionLowering, default_lowering
from glojax.regular_files import read_json
from glojax.training import Train, computation_identity

_log = logging.getLogger(__name__)


def chosen_lowering(train: Train, device: jax.Device) -> ConvolutionLowering:
    """Return how a training's convolutions are computed on a device."""
    known = None if device.platform == "cpu" else _read_choices().get(_key(train, device))
    return known if known in get_args(ConvolutionLowering) else default_lowering(device)  # type: ignore[return-value]


def remember_lowering(train: Train, device: jax.Device, lowering: ConvolutionLowering) -> None:
    """Let `chosen_lowering` choose this for the network, batch size and kind of device from now on."""
    with contextlib.suppress(OSError):
        path = choices_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        choices = json.dumps(_read_choices() | {_key(train, device): lowering}, indent=2) + "\n"
        write_atomically(path, lambda unfinished: unfinished.write_text(choices))


def choices_path() -> Path:
    """Return the path of the file with what is remembered."""
    return user_cache() / "conv_lowerings.json"


def _key(train: Train, device: jax.Device) -> str:
    return f"{device.device_kind}, jaxlib {version('jaxlib')}, {computation_identity(train)}"


def _read_choices() -> dict[str, str]:
    """Return what is remembered; nothing if the file cannot be read."""
    try:
        known: dict[str, str] = read_json(choices_path())
    except (OSError, ValueError):
        return {}
    return known
