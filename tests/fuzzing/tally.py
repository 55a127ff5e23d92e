"""What came of many texts: counts of each kind, the slowest, the broken promises."""

import resource
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any

#: Longest time that a text may take, in seconds of the processor.
TIME_LIMIT = 1.0
#: Most memory that the process may hold, Python and its libraries included.
MEMORY_LIMIT_MB = 500

BROKEN = "a broken promise"
_MOST_KEPT = 20


class TooSlowError(Exception):
    """A text takes longer than `TIME_LIMIT`."""


@dataclass
class Tally:
    """What came of the texts so far.

    Attributes:
        texts: How many there were.
        seconds: Processor time that they took.
        slowest_seconds: The longest that one took.
        slowest_text: Its beginning.
        peak_memory_mb: The most that the process has held.
        outcomes: How many there were of each kind.
        broken: The first texts that broke a promise, and how.
    """

    texts: int = 0
    seconds: float = 0.0
    slowest_seconds: float = 0.0
    slowest_text: str = ""
    peak_memory_mb: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[dict[str, str]] = field(default_factory=list)

    def add(self, text: str, check: Callable[[str], str]) -> None:
        """Try a text.

        Args:
            text: Any text.
            check: Says in few words what the text is, and raises an exception where a promise is broken.
        """
        signal.signal(signal.SIGVTALRM, _too_slow)
        start = time.process_time()
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, TIME_LIMIT)
            kind = check(text)
        except Exception as error:
            kind = BROKEN
            if len(self.broken) < _MOST_KEPT:
                self.broken.append({"text": text[:1_000], "problem": f"{type(error).__name__}: {error}"[:300]})
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        seconds = time.process_time() - start
        self.texts += 1
        self.seconds += seconds
        self.outcomes[kind] += 1
        if seconds > self.slowest_seconds:
            self.slowest_seconds, self.slowest_text = seconds, text[:200]
        self.peak_memory_mb = max(self.peak_memory_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        return not self.outcomes[BROKEN] and self.peak_memory_mb < MEMORY_LIMIT_MB

    def as_json(self) -> dict[str, Any]:
        """All of it, the most frequent outcome first."""
        rounded = {name: round(value, 3) for name, value in vars(self).items() if isinstance(value, float)}
        return asdict(self) | rounded | {"outcomes": dict(self.outcomes.most_common())}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Tally":
        """What `as_json` has given."""
        return cls(**fields | {"outcomes": Counter(fields["outcomes"])})


def _too_slow(signal_number: int, frame: FrameType | None) -> None:
    raise TooSlowError(f"longer than {TIME_LIMIT} s")
