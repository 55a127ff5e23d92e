"""Contestants for the tests of the runner; the workers import this module."""

import os
import signal
import time
from pathlib import Path

from benchmarks.contestant import Contestant, Work


def sleeper(seconds: float, first: float = 0.0) -> Contestant:
    """Sleeps; at first longer by so much."""
    waits = [first]

    def turn() -> Work:
        print("What contestants print disturbs nobody.")
        time.sleep(seconds + (waits.pop() if waits else 0.0))
        return Work(2)

    return Contestant(turn)


def refuser() -> Contestant:
    """Cannot be made."""
    raise MemoryError("it does not fit\nsecond line")


def quitter(turns: int) -> Contestant:
    """Kills its process after so many turns."""
    left = [turns]

    def turn() -> Work:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGSEGV)
        left[0] -= 1
        return Work(1)

    return Contestant(turn)


def compiler() -> Contestant:
    """Knows how long it compiled."""
    return Contestant(lambda: Work(1, 0.25))


def diarist(log: str) -> Contestant:
    """Writes down its turns, and before them whether the process of the last one that did so has ended."""
    last = Path(f"{log}.process")
    alive = last.exists() and Path(f"/proc/{last.read_text()}").exists()
    last.write_text(str(os.getpid()))

    def write(word: str) -> None:
        with Path(log).open("a") as file:
            file.write(f"{word}\n")

    write("in company" if alive else "alone")

    def turn() -> Work:
        write("turn")
        return Work(1)

    return Contestant(turn)
