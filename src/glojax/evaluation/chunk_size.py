"""How many candidates a device trains at once."""

import logging

import jax

from glojax.training import Train, chunk_bytes

_log = logging.getLogger(__name__)

#: Compiled to see what a candidate needs.
PROBE = 8

#: Chunks are filled up to their size, so that one program serves all; small ones leave less of that to do.
LARGEST = 16

#: Share of the free memory that chunks may fill; the rest is for networks that wait for their turn, and for fragments.
SHARE = 0.6


def fitting_chunk_size(train: Train, capacity: int, device: jax.Device) -> int:
    """1 on a CPU; elsewhere the largest power of two whose candidates fit the device's free memory.

    Args:
        train: What `make_train` gives, on the device.
        capacity: Nodes that a program holds.
        device: Trained on. One that does not tell its free memory gets 8.
    """
    if device.platform == "cpu":
        return 1
    statistics = device.memory_stats() or {}
    if not {"bytes_limit", "bytes_in_use"} <= statistics.keys():
        return PROBE
    free = statistics["bytes_limit"] - statistics["bytes_in_use"]
    each = chunk_bytes(train, capacity, PROBE) / PROBE
    fitting = max(1, int(SHARE * free / each))
    chunk_size: int = min(LARGEST, 2 ** (fitting.bit_length() - 1))
    _log.info("%s: %d candidates at once, of %.0f MB each.", device, chunk_size, each / 1e6)
    return chunk_size
