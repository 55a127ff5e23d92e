"""The number of candidates that a device trains at once."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

import jax

from glojax.errors import GlojaxError
from glojax.training import Train, chunk_bytes

_log = logging.getLogger(__name__)

#: The largest size; larger ones gain little.
LARGEST = 16

#: Share of the free memory that chunks may fill; the rest is for networks of waiting chunks, and for fragmentation.
SHARE = 0.6

_Result = TypeVar("_Result")


class ChunkSize:
    """The number of candidates that the devices of a pool train at once.

    It is halved for good whenever a device runs out of memory while it trains, compiles, or measures what it needs.

    Args:
        train: The trainer, on the device.
        device: A device of the pool, whose memory decides.
        given: The initial size; None for 1 on a CPU, and elsewhere for 16 or as many as the device's memory holds.
    """

    def __init__(self, train: Train, device: jax.Device, given: int | None = None):
        self._train = train
        self._device = device
        self._known = given is not None or device.platform == "cpu"
        self._size = given or (1 if self._known else LARGEST)
        self._lock = threading.Lock()

    def find(self, capacity: int) -> int:
        """Return the size; the first call may have to measure the needed memory.

        Args:
            capacity: Number of nodes that a program holds.

        Raises:
            GlojaxError: The device has no memory for a single candidate.
        """
        if not self._known:
            self._size = self.halved_until_it_fits(
                self._device, lambda size: _fitting(self._train, capacity, self._device, size)
            )
            self._known = True
        return self._size

    def halved_until_it_fits(self, device: jax.Device, work: Callable[[int], _Result]) -> _Result:
        """Let a device do some work, and repeat it with half the size while its memory runs out.

        Args:
            device: The device that does the work.
            work: The work, a function of the size.

        Raises:
            GlojaxError: The device has no memory for a single candidate.
        """
        while True:
            size = self._size
            try:
                return work(size)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                if size == 1:
                    raise GlojaxError(
                        f"{device} has no memory for training a single candidate; lower the batch size, or take a "
                        "smaller network."
                    ) from error
            self._halve(device, size)

    def _halve(self, device: jax.Device, size: int) -> None:
        with self._lock:
            # Another device may have halved it already.
            if self._size == size:
                self._size = size // 2
                _log.warning(
                    "%s ran out of memory with %d candidates at once; going on with %d.", device, size, self._size
                )


def _fitting(train: Train, capacity: int, device: jax.Device, most: int) -> int:
    """Return the largest power of two, up to `most`, of candidates that fit the free memory, if the device tells it."""
    statistics = device.memory_stats() or {}
    if not {"bytes_limit", "bytes_in_use"} <= statistics.keys():
        return most
    free = statistics["bytes_limit"] - statistics["bytes_in_use"]
    each = chunk_bytes(train, capacity, most) / most
    fitting = max(1, int(SHARE * free / each))
    size: int = min(most, 2 ** (fitting.bit_length() - 1))
    _log.info("%s: %d candidates at once, of %.0f MB each.", device, size, each / 1e6)
    return size
