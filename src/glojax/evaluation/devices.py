"""The devices that train: accelerators or, without any, one for each CPU core."""

from collections.abc import Sequence

import jax

from glojax.cpu_devices import cpu_device
from glojax.errors import ConfigurationError
from glojax.evaluation.runtime import num_cores


def training_devices(number: int | None = None) -> list[jax.Device]:
    """Return the devices that train in this process, always the same ones; on a CPU those of `cpu_device`.

    Args:
        number: How many; None for all accelerators, or for as many as there are cores.

    Raises:
        ConfigurationError: The number is less than 1, or there are fewer accelerators.
    """
    if number is not None and number < 1:
        raise ConfigurationError(f"{number} devices were asked for; expected at least 1.")
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
