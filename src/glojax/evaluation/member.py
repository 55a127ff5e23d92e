"""A worker of a cluster, and what became of its work."""

from dataclasses import dataclass, field
from typing import NamedTuple

from distributed import Future


@dataclass
class Member:
    """A worker.

    Attributes:
        address: Its own for as long as it lives; who is started in its place has another.
        place: Its number among those that are there, from 0.
        host: Where it runs; its address until it has said so.
        backend: "cpu", "gpu" or "tpu".
        num_devices: That it trains on; 0 until it has introduced itself.
        refusal: Why it is not given work; None for one that is.
        work: What it is at, if anything: to introduce itself, to give a sign of life, or a shard.
        has_shard: Whether it is a shard.
        deadline: When that is late, by `time.monotonic`.
        heard: When it last answered, by `time.monotonic`.
    """

    address: str
    place: int
    host: str
    backend: str = ""
    num_devices: int = 0
    refusal: str | None = None
    work: Future[str] | None = field(default=None, repr=False)
    has_shard: bool = False
    deadline: float = float("inf")
    heard: float = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether it is one to give work to."""
        return self.num_devices > 0 and self.refusal is None

    @property
    def is_idle(self) -> bool:
        """Whether it waits for work."""
        return self.is_usable and self.work is None


class Outcome(NamedTuple):
    """What became of a piece of work.

    Attributes:
        member: Who had it.
        text: What came back; None where the work was not done.
        error: What the work raised; None where the worker died, or was too late and was ended. It is ended, too, where
            that is `FATAL`.
    """

    member: Member
    text: str | None
    error: Exception | None
