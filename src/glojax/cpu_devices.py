"""CPU devices whose results do not depend on the number of cores that a process may use."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import jax

#: The number of threads in each of XLA's pools. Without it, XLA reads `NPROC` and then counts the cores.
_THREADS: Final = "PJRT_NPROC"

_log = logging.getLogger("glojax")


@cache
def cpu_device(index: int) -> jax.Device:
    """Return the CPU device at an index from 0, which computes with one thread of its own.

    JAX's own CPU devices share a pool of threads, one for each core or device. XLA sums a product of matrices in an
    order that depends on the number of threads, so a result would depend on the cores that the process may use. The
    device returned here belongs to its own client and is not in `jax.devices()`. `jax.device_put`, `jax.jit` and
    `jax.default_device` accept it; a mesh does not.

    JAX does not promise to keep the function that makes the client. Without it, one of JAX's own CPU devices is
    returned, for which the index wraps around, and a warning is logged the first time.
    """
    try:
        from jaxlib.xla_client import make_cpu_client

        with _one_thread():
            return make_cpu_client(num_devices=1).devices()[0]  # type: ignore[attr-defined]
    except (ImportError, TypeError) as error:
        _warn_of_shared_threads(str(error))
        devices = jax.devices("cpu")
        return devices[index % len(devices)]


@cache
def _warn_of_shared_threads(reason: str) -> None:
    """Log once that results depend on the number of cores."""
    _log.warning(
        "This jaxlib cannot make CPU devices with one thread each (%s). glojax uses JAX's own CPU devices: results "
        "depend on the number of cores, so that another machine may give other results. An older jaxlib avoids it.",
        reason,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Give one thread to each of XLA's pools that is made meanwhile."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_THREADS]
        if before is not None:
            os.environ[_THREADS] = before
