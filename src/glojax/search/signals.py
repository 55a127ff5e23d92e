"""The early end of a run: by a signal, or when its time is up."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

#: The exit code after the time limit, as `timeout` of the GNU tools has it.
TIME_IS_UP = 124

#: Seconds after which an interruption that came to nothing is raised again.
_SECONDS_TO_GO_ON = 0.01

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


class Interruption(KeyboardInterrupt):
    """The run was told to end."""

    def __init__(self, reason: str, exit_code: int):
        super().__init__(reason)
        self.exit_code = exit_code


@contextlib.contextmanager
def interruptible(time_limit: float | None) -> Iterator[None]:
    """Raise `Interruption` at any point within, on SIGINT, SIGTERM, SIGHUP or when the time is up.

    A second signal ends the process at once. An exception in the callback of a weak reference, or in `__del__`, goes no
    further: it is raised again soon after.
    """
    if threading.current_thread() is not threading.main_thread():  # which signals do not reach
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, _end_at_once)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if number == signal.SIGALRM:
            raise Interruption("the time is up", TIME_IS_UP)
        raise Interruption(signal.Signals(number).name, 128 + number)

    def raise_again(unraisable: "sys.UnraisableHookArgs") -> None:
        interruption = unraisable.exc_value
        if not isinstance(interruption, Interruption):
            report(unraisable)
            return

        def interrupt_again(number: int, frame: FrameType | None) -> None:
            raise interruption

        signal.signal(signal.SIGALRM, interrupt_again)
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_TO_GO_ON)

    # Signals that the parent process ignores stay ignored: a shell does so for its background jobs. SIGALRM is ours.
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {n: handler for n, handler in handlers.items() if handler != signal.SIG_IGN or n == signal.SIGALRM}
    for number in before:
        signal.signal(number, interrupt)
    report, sys.unraisablehook = sys.unraisablehook, raise_again
    if time_limit is not None:
        signal.setitimer(signal.ITIMER_REAL, time_limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
