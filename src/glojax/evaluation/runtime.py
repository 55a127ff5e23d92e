"""The platform and the versions that this process runs on, as far as they may change a result."""

import functools
import hashlib
import os
import platform as machine
import re
from importlib.metadata import version
from pathlib import Path
from typing import Final

import jax
import platformdirs

from glojax.cpu_devices import cpu_device
from glojax.training import decisive_settings

#: Packages whose version may change the result of a training or of a search.
DECISIVE: Final = ("glojax", "jax", "jaxlib", "flax", "optax", "evosax", "numpy")

#: As Linux names them, on x86 and ARM.
_VECTOR: Final = re.compile(r"(avx|fma|sse|ssse|f16c|amx|asimd|sve)\w*")


def keep_compiled_programs() -> None:
    """Make JAX keep compiled programs for the next run: in the user's cache folder, unless JAX has another."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("glojax") / "compiled"))


def num_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to_cores(share: int, size: int) -> None:
    """Restrict this thread, and those that it starts, to the cores of one share, if the machine has so many.

    XLA has a thread for each core that it finds; several processes with threads for all of them disturb each other.

    Args:
        share: Number of the share, from 0.
        size: Cores in each share.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[share * size : (share + 1) * size]
        if len(cores) == size:
            os.sched_setaffinity(0, cores)


def platform() -> dict[str, str]:
    """Return what beside the versions may change a result: the kind of device, and settings of JAX and XLA.

    XLA compiles for the vector instructions of a CPU. The number of devices changes no result.
    """
    kind = jax.local_devices()[0].device_kind
    of_cpu = {"instructions": _instructions()} if kind == "cpu" else {}
    if kind == "cpu" and cpu_device(0) in jax.devices("cpu"):  # whose threads are as many as the cores
        of_cpu["cores"] = str(num_cores())
    return {"device_kind": kind} | of_cpu | decisive_settings()


def decisive_versions() -> dict[str, str]:
    """Return the versions of `DECISIVE`, and a checksum of glojax's code, which may change between two versions."""
    return {name: version(name) for name in DECISIVE} | {"glojax_code": _code()}


@functools.cache
def _instructions() -> str:
    """Return the vector instructions of the processor, or its name."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return machine.processor()
    return " ".join(sorted(filter(_VECTOR.fullmatch, words)))


@functools.cache
def _code() -> str:
    """Return a checksum of glojax's own code."""
    root = Path(__file__).parents[1]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(root.rglob("*.py")))).hexdigest()[:12]
