"""What JAX runs on in this process, and what of it may change the result of a training."""

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

#: Packages whose version may change what comes of a training or of a search.
DECISIVE: Final = ("glojax", "jax", "jaxlib", "flax", "optax", "evosax", "numpy")


#: As Linux names them, on x86 and ARM.
_VECTOR: Final = re.compile(r"(avx|fma|sse|ssse|f16c|amx|asimd|sve)\w*")


def keep_compiled_programs() -> None:
    """Have compiled programs kept for the next run: in the user's cache folder, or where JAX was told to."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(platformdirs.user_cache_path("glojax") / "compiled"))


def num_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_to_cores(share: int, size: int) -> None:
    """Let this thread, and those that it starts, run on the cores of one share only, if the machine has so many.

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
    """The kind of device, and XLA's flags but for the number of devices, which changes no result.

    Of a CPU also its vector instructions, for which XLA compiles.
    """
    flags = sorted(flag for flag in os.environ.get("XLA_FLAGS", "").split() if "device_count" not in flag)
    kind = jax.local_devices()[0].device_kind
    instructions = {"instructions": _instructions()} if kind == "cpu" else {}
    return {"device_kind": kind, **instructions, "xla_flags": " ".join(flags)}


def decisive_versions() -> dict[str, str]:
    """Of the packages in `DECISIVE`, and `glojax_code`, as glojax's own code may change between two versions."""
    return {name: version(name) for name in DECISIVE} | {"glojax_code": _code()}


@functools.cache
def _instructions() -> str:
    """The vector instructions of the processor, or what the system calls it."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return machine.processor()
    return " ".join(sorted(filter(_VECTOR.fullmatch, words)))


@functools.cache
def _code() -> str:
    """A checksum of glojax's own code."""
    root = Path(__file__).parents[1]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(root.rglob("*.py")))).hexdigest()[:12]
