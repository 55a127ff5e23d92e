"""The number of candidates that a device trains at once."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import jax

from glojax.errors import GlojaxError
from glojax.training import Train, chunk_bytes, narrow_width, step_flops

_log = logging.getLogger(__name__)

#: The smallest and the largest size that is begun with on an accelerator.
SMALLEST, LARGEST = 8, 512

#: A step of a chunk should take so many seconds that what each step costs once is little of it: on an H200, some tenths
#: of a millisecond. Networks train there at about `FLOPS`; slower devices take longer, and smaller chunks fill them.
STEP_SECONDS, FLOPS = 4e-3, 1.2e14

#: Share of the free memory that chunks may fill; the rest is for networks of waiting chunks, and for fragmentation.
SHARE = 0.6

_Result = TypeVar("_Result")


class ChunkSize:
    """The number of candidates that each device of a pool trains at once; halved for good when one runs out of memory.

    It begins with the given size, or with 1 on a CPU, and elsewhere with as many as keep the device busy and its memory
    holds, a power of two.

    Attributes:
        train: What is trained.
        size: The size so far; `find` looks whether the memory holds it.
    """

    def __init__(self, train: Train, device: jax.Device, given: int | None = None):
        self.train = train
        self._device = device
        self._known = given is not None or device.platform == "cpu"
        self.size = given or (1 if self._known else wanted_size(step_flops(train)))
        self._lock, self._finding = threading.Lock(), threading.Lock()

    def find(self, capacity: int, operators: Sequence[str] = ()) -> int:
        """Return the size for programs of `capacity` instructions that know the operators.

        The first call may compile what trains both widths of chunks, and look at the device's memory.
        """
        with self._finding:
            if not self._known:
                self.size = self.halved_until_it_fits(self._device, partial(self._fitting, capacity, operators))
                self._known = True
        return self.size

    def halved_until_it_fits(self, device: jax.Device, work: Callable[[int], _Result]) -> _Result:
        """Return `work(size)`; halve the size and call it again whenever the device runs out of memory."""
        while True:
            size = self.size
            try:
                return work(size)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error) or is_too_large_a_kernel(error):
                    raise
                if size == 1:
                    raise GlojaxError(
                        f"{device} has no memory for training a single candidate; lower the batch size, or take a "
                        "smaller network."
                    ) from error
            with self._lock:
                if self.size == size:  # otherwise another device has halved it
                    self.size //= 2
                    message = "%s ran out of memory with %d candidates at once; going on with %d."
                    _log.warning(message, device, size, self.size)

    def _fitting(self, capacity: int, operators: Sequence[str], most: int) -> int:
        """Return the largest power of two, up to `most`, that fits the free memory; `most` if that is unknown."""
        statistics = self._device.memory_stats() or {}
        with ThreadPoolExecutor() as compilers:
            planned = partial(chunk_bytes, self.train, capacity, operators=operators)
            of_chunk, _ = compilers.map(planned, (most, narrow_width(most)))
        if not {"bytes_limit", "bytes_in_use"} <= statistics.keys():
            return most
        free = statistics["bytes_limit"] - statistics["bytes_in_use"]
        each = of_chunk / most
        fitting = max(1, int(SHARE * free / each))
        size: int = min(most, 2 ** (fitting.bit_length() - 1))
        _log.info("%s: %d candidates at once, of %.0f MB each.", self._device, size, each / 1e6)
        return size


def wanted_size(flops: float) -> int:
    """Return the power of two that keeps a device busy, for so many operations in a step of one candidate."""
    size = 2 ** round(math.log2(STEP_SECONDS * FLOPS / max(flops, 1)))
    return int(min(max(size, SMALLEST), LARGEST))


def is_too_large_a_kernel(error: BaseException) -> bool:
    """Return whether a kernel needs more of a processor than the device has, at any chunk size."""
    return "Shared memory size limit" in str(error)
