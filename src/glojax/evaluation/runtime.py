"""The devices that train, and the platform and versions that this process runs on, as far as they change a result."""

import contextlib
import functools
import hashlib
import logging
import os
import platform as machine
import re
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import jax
import joblib

from glojax.cpu_devices import cpu_device
from glojax.errors import ConfigurationError, in_one_line
from glojax.files import user_cache
from glojax.training import decisive_settings

_log = logging.getLogger(__name__)

MAX_DEVICES: Final = 1024  #: How many devices may train in a process: more than any machine has cores.

#: JAX's warning of a compiled program that it cannot read.
_UNREADABLE: Final = re.compile("Error reading persistent compilation cache entry for '([^']+)'")

#: Packages whose version may change the result of a training or of a search.
DECISIVE: Final = ("glojax", "jax", "jaxlib", "flax", "optax", "evosax", "numpy")

#: Settings of JAX that forbid what glojax does, and change no number, with the values that allow it.
_ALLOWING: Final = {
    "jax_numpy_rank_promotion": "allow",
    "jax_transfer_guard": "allow",
    "jax_debug_key_reuse": False,
    "jax_debug_nans": False,
    "jax_debug_infs": False,
}

#: Names of vector instructions in Linux, on x86 and ARM.
_VECTOR: Final = re.compile(r"(avx|fma|sse|ssse|f16c|amx|asimd|sve)\w*")


def training_devices(number: int | None = None) -> list[jax.Device]:
    """Return the devices that train in this process, always the same ones; on a CPU those of `cpu_device`."""
    if number is not None and not 1 <= number <= MAX_DEVICES:
        raise ConfigurationError(f"{number} devices were asked for; expected from 1 to {MAX_DEVICES}.")
    if jax.default_backend() == "cpu":
        return [cpu_device(index) for index in range(number or num_cores())]
    local: list[jax.Device] = jax.local_devices()
    if number is not None and number > len(local):
        kind = local[0].device_kind
        raise ConfigurationError(
            f"{number} devices were asked for, but there are {len(local)} ({kind}); ask for fewer."
        )
    return local[:number]


def device_names(devices: Sequence[jax.Device]) -> list[str]:
    """Return names for people, such as "cpu 0", "cpu 1"."""
    return [f"{device.device_kind} {index}" for index, device in enumerate(devices)]


def set_up_jax() -> None:
    """Let JAX do all that glojax needs, and keep compiled programs in the user's cache, unless it has a folder.

    A program that cannot be read is removed, so that JAX, which replaces none, writes it anew.
    """
    for name, value in _ALLOWING.items():
        jax.config.update(name, value)
    if jax.config.values["jax_compilation_cache_dir"] is None:
        with contextlib.suppress(FileNotFoundError):
            jax.config.update("jax_compilation_cache_dir", str(user_cache() / "compiled"))
    if getattr(warnings.showwarning, "func", None) is not _show_or_mend:
        warnings.filterwarnings("always", message=_UNREADABLE.pattern)
        warnings.showwarning = functools.partial(_show_or_mend, warnings.showwarning)


def _show_or_mend(show: Callable[..., None], message: Warning | str, *others: Any, **named: Any) -> None:
    """Show a warning; of a compiled program that JAX cannot read, remove it: JAX warns, compiles, then writes."""
    unreadable = _UNREADABLE.match(str(message))
    if unreadable is None:
        show(message, *others, **named)
        return
    # The files are PROGRAM-HASH-cache, and JAX names the program alone: of several that have this name, all go.
    for path in Path(jax.config.values["jax_compilation_cache_dir"]).glob("*-cache"):
        if unreadable[1] in (path.name.rsplit("-", 2)[0], path.name.removesuffix("-cache")):
            with contextlib.suppress(OSError):  # the cache may be shared, and not ours to mend
                path.unlink()
    _log.info("A compiled program, %s, cannot be read, and is compiled again.", unreadable[1])


def require_device() -> None:
    """Raise ConfigurationError if JAX has no device to train on."""
    try:
        jax.default_backend()
    except (RuntimeError, AssertionError) as error:
        cause = in_one_line(error) if str(error) else "none of the platforms is here"
        raise ConfigurationError(f"JAX finds no device ({cause}); correct JAX_PLATFORMS, or leave it out.") from error


def num_cores() -> int:
    """Return the number of CPU cores that this process may use, by its affinity and its container's quota.

    A part of a core counts as one: with a quota of 1.5 cores, two devices use all of it, and one would leave a third.
    """
    return int(joblib.cpu_count())


def keep_to_cores(index: int, size: int) -> None:
    """Restrict this thread, and those that it starts, to the `index`-th group of `size` cores, if there are so many.

    XLA has a thread for each core that it finds; several processes with threads for all of them disturb each other.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[index * size : (index + 1) * size]
        if len(cores) == size:
            os.sched_setaffinity(0, cores)


def platform() -> dict[str, str]:
    """Return what may change a result apart from versions: the kind of device, and settings of JAX and XLA.

    XLA compiles for the vector instructions of a CPU. The number of devices changes no result.
    """
    kind = jax.local_devices()[0].device_kind
    of_cpu = {"instructions": _vector_instructions()} if kind == "cpu" else {}
    if kind == "cpu" and cpu_device(0) in jax.devices("cpu"):
        # XLA has a thread for each core of these devices, whatever the quota.
        schedulable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        of_cpu["cores"] = str(len(schedulable))
    return {"device_kind": kind} | of_cpu | decisive_settings()


def decisive_versions() -> dict[str, str]:
    """Return the versions of `DECISIVE`, and a checksum of glojax's code, which may change between two versions."""
    return {name: version(name) for name in DECISIVE} | {"glojax_code": _code_checksum()}


@functools.cache
def _vector_instructions() -> str:
    """Return the vector instructions of the processor, or its name."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return machine.processor()
    return " ".join(sorted(filter(_VECTOR.fullmatch, words)))


@functools.cache
def _code_checksum() -> str:
    paths = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]
