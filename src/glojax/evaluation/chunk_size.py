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
    """The number of candidates that each device of a pool trains at once; halved for good when one runs out of memory.

    It begins with the given size, or with 1 on a CPU, and elsewhere with 16 or as many as the memory of `device` holds.
    """

    def __init__(self, train: Train, device: jax.Device, given: int | None = None):
        self._train = train
        self._device = device
        self._known = given is not None or device.platform == "cpu"
        self._size = given or (1 if self._known else LARGEST)
        self._lock = threading.Lock()

    def find(self, capacity: int) -> int:
        """Return the size for programs of `capacity` instructions; the first call may look at the device's memory."""
        if not self._known:
            self._size = self.halved_until_it_fits(self._device, lambda size: self._fitting(capacity, size))
            self._known = True
        return self._size

    def halved_until_it_fits(self, device: jax.Device, work: Callable[[int], _Result]) -> _Result:
        """Return `work(size)`; halve the size and call it again whenever the device runs out of memory."""
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
            with self._lock:
                if self._size == size:  # otherwise another device has halved it
                    self._size //= 2
                    message = "%s ran out of memory with %d candidates at once; going on with %d."
                    _log.warning(message, device, size, self._size)

    def _fitting(self, capacity: int, most: int) -> int:
        """Return the largest power of two, up to `most`, that fits the free memory; `most` if that is unknown."""
        statistics = self._device.memory_stats() or {}
        if not {"bytes_limit", "bytes_in_use"} <= statistics.keys():
            return most
        free = statistics["bytes_limit"] - statistics["bytes_in_use"]
        each = chunk_bytes(self._train, capacity, most) / most
        fitting = max(1, int(SHARE * free / each))
        size: int = min(most, 2 ** (fitting.bit_length() - 1))
        _log.info("%s: %d candidates at once, of %.0f MB each.", self._device, size, each / 1e6)
        return size
