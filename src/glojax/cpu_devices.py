"""CPU devices that compute the same on whatever cores a process may use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import jax
from jaxlib import xla_client

#: How many threads XLA's pools have; before it, `NPROC` would be asked, and then the cores be counted.
_THREADS: Final = "PJRT_NPROC"


@cache
def cpu_device(place: int) -> jax.Device:
    """The CPU device of that number, from 0, with a single thread to itself.

    JAX's own CPU devices share a pool of threads, as many as there are cores or devices, and XLA sums a product of
    matrices in an order that depends on their number: a result would depend on the cores that the process may use. A
    device here is a client of its own, and no part of `jax.devices()`; `jax.device_put`, `jax.jit` and
    `jax.default_device` take it, a mesh does not.
    """
    with _one_thread():
        device: jax.Device = xla_client.make_cpu_client(num_devices=1).devices()[0]  # type: ignore[attr-defined]
    return device


@contextmanager
def _one_thread() -> Iterator[None]:
    """XLA's pools that are made meanwhile have a thread."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before
