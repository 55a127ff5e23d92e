"""The interface of a contestant of a benchmark, which does the work of one turn at a time."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Work(NamedTuple):
    """The work of a turn.

    Attributes:
        units: Its amount in the benchmark's unit of work: candidate-steps, evaluations of a loss, and so on.
        compile_seconds: The part of the turn's time that went into compiling; None if it is not known. Then only the
            first turn, which is not counted, may compile.
    """

    units: float
    compile_seconds: float | None = None


def process_peak_bytes() -> int | None:
    """Return the peak memory of this process, Python and libraries included; None if the system does not tell it."""
    # Not `resource.getrusage`, whose maximum a process inherits from the one that started it.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


class Contestant(NamedTuple):
    """A contestant that is ready for its turns.

    Attributes:
        turn: Does the work, and returns when all of it is done.
        peak_memory_bytes: Returns its peak memory so far; None if that is not known.
    """

    turn: Callable[[], Work]
    peak_memory_bytes: Callable[[], int | None] = process_peak_bytes
