"""How the benchmarks measure: contestants take turns in one process, and all samples are kept."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

RESULTS = Path(__file__).parent / "results"


def alternate(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round of each contestant, after one warm-up each that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run()
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def matrix_product_gflops(size: int = 2048, rounds: int = 5) -> float:
    """Rate of a large float32 matrix product, which may use all cores: the most that a step can reach."""
    matrix = jnp.ones((size, size), jnp.float32)
    product = jax.jit(lambda a: a @ a)
    samples = alternate({"product": lambda: product(matrix).block_until_ready()}, rounds)["product"]
    return 2 * size**3 / statistics.median(samples) / 1e9


def write_result(name: str, record: Mapping[str, Any]) -> None:
    """Write `results/NAME.json`, with what it was measured on."""
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": {
            name: _version(name) for name in ("glojax", "jax", "jaxlib", "flax", "numpy", "torch", "evosax", "cma")
        },
        "measured": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(machine | dict(record), indent=2) + "\n")


def _processor() -> str:
    names = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return names[0] if names else platform.processor()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
