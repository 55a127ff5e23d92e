"""The devices that train: accelerators or, without any, one for each CPU core."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import jax
from jaxlib import xla_client

from glojax.errors import ConfigurationError
from glojax.evaluation.runtime import num_cores


def training_devices(number: int | None = None) -> list[jax.Device]:
    """The devices that train in this process, always the same ones.

    JAX's own CPU devices share a pool of threads, as many as there are cores or devices, and XLA sums a product of
    matrices in an order that depends on their number: what comes of a training would depend on the cores that the
    process may use. So a CPU device here has a single thread to itself, whatever `XLA_FLAGS` or `NPROC` say. It is a
    client of its own, and no part of `jax.devices()`; `jax.device_put` and `jax.jit` take it, a mesh does not.

    Args:
        number: How many; None for all accelerators, or for as many as there are cores.

    Raises:
        ConfigurationError: There are fewer accelerators.
    """
    if jax.default_backend() == "cpu":
        return [_cpu_device(place) for place in range(number or num_cores())]
    local: list[jax.Device] = jax.local_devices()
    if number is not None and number > len(local):
        kind = local[0].device_kind
        raise ConfigurationError(
            f"{number} devices were asked for, but there are {len(local)} ({kind}); ask for fewer."
        )
    return local[:number]


def device_names(devices: Sequence[jax.Device]) -> list[str]:
    """For people, such as "cpu 0", "cpu 1"."""
    return [f"{device.device_kind} {place}" for place, device in enumerate(devices)]


@cache
def _cpu_device(place: int) -> jax.Device:
    with _one_thread():
        device: jax.Device = xla_client.make_cpu_client(num_devices=1).devices()[0]  # type: ignore[attr-defined]
    return device


@contextmanager
def _one_thread() -> Iterator[None]:
    """XLA's pools that are made meanwhile have a thread: it asks this variable before it counts cores."""
    before = os.environ.get("NPROC")
    os.environ["NPROC"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["NPROC"]
        else:
            os.environ["NPROC"] = before
