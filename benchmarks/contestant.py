"""What a contestant of a benchmark is: something that does one turn's work whenever it is told to."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Work(NamedTuple):
    """What a turn has done.

    Attributes:
        units: How much, in the benchmark's unit of work: candidate-steps, evaluations of a loss, and so on.
        compile_seconds: How much of the turn's time went into compiling, where that is known. Everyone else compiles in
            the first turn alone, which is not counted.
    """

    units: float
    compile_seconds: float | None = None


def process_peak_bytes() -> int | None:
    """The most memory that this process has held so far, Python and libraries included; None where nobody tells."""
    # Not `resource.getrusage`, whose maximum a process inherits from the one that started it.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


class Contestant(NamedTuple):
    """One that is ready for its turns.

    Attributes:
        turn: Does the work, and returns when all of it is done.
        peak_memory_bytes: The most memory that it has held so far.
    """

    turn: Callable[[], Work]
    peak_memory_bytes: Callable[[], int | None] = process_peak_bytes
