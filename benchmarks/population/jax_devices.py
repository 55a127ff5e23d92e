"""The devices of a contestant that runs on JAX, and their memory."""

import jax

from benchmarks.contestant import process_peak_bytes


def take_devices(count: int) -> list[jax.Device]:
    """Return `count` devices, virtual ones on a CPU; must be called before JAX starts.

    Raises:
        RuntimeError: There are fewer devices.
    """
    jax.config.update("jax_num_cpu_devices", count)
    devices: list[jax.Device] = jax.local_devices()
    if len(devices) < count:
        raise RuntimeError(f"there are {len(devices)} devices, not {count}")
    return devices[:count]


def peak_bytes() -> int | None:
    """Return the peak memory of the GPUs together, or of the process on a CPU."""
    statistics = [device.memory_stats() for device in jax.local_devices()]
    if None in statistics:
        return process_peak_bytes()
    return sum(int(of_device["peak_bytes_in_use"]) for of_device in statistics)
