"""The device, versions and commit of a measurement."""

import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import joblib

PACKAGES = ("glojax", "jax", "jaxlib", "flax", "optax", "numpy", "torch", "evosax", "cma")

#: The names under which a record has what `nvidia-smi` is asked for.
GPU_FIELDS = {
    "name": "name",
    "driver_version": "driver_version",
    "sm_clock": "clocks.sm",
    "memory_clock": "clocks.mem",
    "power_limit": "power.limit",
}

#: The fields that differ between two runs on the same GPU.
GPU_STATE = ("sm_clock", "memory_clock")


def device() -> dict[str, Any]:
    """Return kind and number of JAX's devices, and the processor. It starts JAX's devices.

    "precision" is that of float32 products as XLA computes them by default: "float32", "tf32" or "bf16". "gpus" has
    `GPU_FIELDS` for each NVIDIA GPU, with their units; it is absent without `nvidia-smi`.
    """
    import jax

    devices = jax.local_devices()
    gpus = nvidia_gpus() if devices[0].platform == "gpu" else []
    return {
        "platform": devices[0].platform,
        # A CPU may be cut into many virtual devices: it is still one.
        "count": 1 if devices[0].platform == "cpu" else len(devices),
        "kind": processor() if devices[0].platform == "cpu" else devices[0].device_kind,
        "processor": processor(),
        "cores": num_cores(),
        "precision": default_precision(devices[0].platform, getattr(devices[0], "compute_capability", None)),
        **({"gpus": gpus} if gpus else {}),
    }


def default_precision(platform: str, compute_capability: str | None) -> str:
    """Return the precision that XLA by default gives products of float32 arrays: "float32", "tf32" or "bf16".

    Args:
        platform: "cpu", "gpu" or "tpu".
        compute_capability: That of an NVIDIA GPU, such as "9.0"; GPUs have TF32 from 8.0 on.
    """
    if platform == "tpu":
        return "bf16"
    # An AMD GPU has a name there, such as "gfx90a".
    version_of_gpu = re.fullmatch(r"(\d+)\.\d+", compute_capability or "")
    return "tf32" if version_of_gpu and int(version_of_gpu[1]) >= 8 else "float32"


def nvidia_gpus() -> list[dict[str, str]]:
    """Return `GPU_FIELDS` of each NVIDIA GPU of the machine; none where `nvidia-smi` is not installed, or fails."""
    query = ["nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS.values())}", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, check=True, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [dict(zip(GPU_FIELDS, line.split(", "), strict=False)) for line in found.splitlines()]


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
