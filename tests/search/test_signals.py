import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator

import pytest

from glojax.search.signals import Interruption, interruptible


@pytest.fixture(autouse=True)
def _is_not_ignored() -> Iterator[None]:
    """Nothing is ignored here, whatever started the tests: `nohup` ignores SIGHUP, a shell SIGINT of its jobs."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = [signal.signal(number, signal.SIG_DFL) for number in signals]
    yield
    for number, handler in zip(signals, before, strict=True):
        signal.signal(number, handler)


def interruption(cause: Callable[[], None], time_limit: float | None = None) -> Interruption:
    """What comes of a cause within ten seconds."""
    try:
        with interruptible(time_limit):
            cause()
            time.sleep(10)
    except Interruption as error:
        return error
    pytest.fail("nothing interrupted")


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_interrupts(number: signal.Signals, exit_code: int) -> None:
    before = signal.getsignal(number)
    error = interruption(lambda: os.kill(os.getpid(), number))
    assert (str(error), error.exit_code) == (number.name, exit_code)
    assert signal.getsignal(number) == before


def test_time_that_is_up_interrupts() -> None:
    error = interruption(lambda: None, 0.05)
    assert (str(error), error.exit_code) == ("the time is up", 124)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGALRM, 124)])
def test_an_interruption_in_the_callback_of_a_weak_reference_is_not_lost(
    number: signal.Signals, exit_code: int
) -> None:
    class Referent:
        pass

    def cause() -> None:
        referent = Referent()
        reference = weakref.ref(referent, lambda _: os.kill(os.getpid(), number))
        del referent
        assert reference() is None

    others = sys.unraisablehook
    assert interruption(cause).exit_code == exit_code
    assert sys.unraisablehook == others


def test_time_that_is_not_up_does_not_interrupt_later() -> None:
    with interruptible(0.2):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    time.sleep(0.3)


def test_what_the_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible(None):
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_time_is_up_although_the_parent_ignores_alarms() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    assert interruption(lambda: None, 0.05).exit_code == 124
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_IGN


def test_a_second_signal_ends_the_process_at_once() -> None:
    program = """
import os, signal
from glojax.search.signals import interruptible
with interruptible(None):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        print("still there")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (130, b"")
