"""The device, versions and commit of a measurement."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import joblib

PACKAGES = ("glojax", "jax", "jaxlib", "flax", "optax", "numpy", "torch", "evosax", "cma")


def device() -> dict[str, Any]:
    """Return kind and number of JAX's devices, and the processor. It starts JAX's devices."""
    import jax

    devices = jax.local_devices()
    return {
        "platform": devices[0].platform,
        # A CPU may be cut into many virtual devices: it is still one.
        "count": 1 if devices[0].platform == "cpu" else len(devices),
        "kind": processor() if devices[0].platform == "cpu" else devices[0].device_kind,
        "processor": processor(),
        "cores": num_cores(),
    }


def num_cores() -> int:
    """Return the number of cores that this process may use, by its affinity and its container's quota."""
    return int(joblib.cpu_count())


def processor() -> str:
    """Return the name of the processor."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of `PACKAGES`; None for one that is not installed."""

    def installed(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {"python": platform.python_version()} | {package: installed(package) for package in PACKAGES}


def commit() -> dict[str, Any] | None:
    """Return the hash of the commit, and whether the code is as in it; None outside a repository."""
    root = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", root, *arguments], check=True, capture_output=True, text=True).stdout

    try:
        changed = git("status", "--porcelain", "--", "src", "benchmarks/*.py", "experiments/*.py", "pyproject.toml")
        return {"hash": git("rev-parse", "HEAD").strip(), "clean": not changed}
    except (OSError, subprocess.CalledProcessError):
        return None
