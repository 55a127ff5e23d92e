"""A worker of a cluster, and the outcome of a task that it was given."""

import contextlib
import ipaddress
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import jax
from distributed import Future
from distributed.client import ClosedClientError

from glojax.errors import GlojaxError

#: A worker whose task raises one of these is ended, as its process may be broken.
FATAL: Final = (MemoryError, jax.errors.JaxRuntimeError)

#: A worker whose task raises one of these is refused: it lacks the data set, the network, a package or a file.
LACKING: Final = (GlojaxError, ImportError, AttributeError, OSError)

#: What Dask raises if the scheduler is gone.
GONE: Final = (OSError, ValueError, RuntimeError, AttributeError, ClosedClientError)


@dataclass
class Worker:
    """A worker process of a Dask cluster."""

    address: str  #: Its address; a worker that replaces it has another
    index: int  #: The smallest number from 0 that no other worker has
    host: str  #: Name of its machine; its address until it has introduced itself
    backend: str = ""  #: "cpu", "gpu" or "tpu"
    num_devices: int = 0  #: Number of devices that it trains on; 0 until it has introduced itself
    refusal: str | None = None  #: Why it is given no work, if so
    #: Its running task, if any: an introduction, a check that it still responds, or a shard.
    task: Future[str] | None = field(default=None, repr=False)
    has_shard: bool = False  #: Whether the running task is a shard
    deadline: float = float("inf")  #: When the running task is late, by `time.monotonic`
    last_response: float = 0.0  #: When the worker last answered, by `time.monotonic`

    @property
    def is_usable(self) -> bool:
        """Whether the worker can be given work, now or later."""
        return self.num_devices > 0 and self.refusal is None

    @property
    def is_idle(self) -> bool:
        """Whether the worker can be given work now."""
        return self.is_usable and self.task is None

    def end_task(self) -> bool:
        """Mark the worker as having no task; return whether its task was a shard."""
        had_shard, self.task, self.has_shard = self.has_shard, None, False
        return had_shard


class Outcome(NamedTuple):
    """The end of a shard: its result as text, or None and the error; no error if the worker died or was late."""

    worker: Worker
    text: str | None
    error: Exception | None


def is_exposed(address: str) -> bool:
    """Return whether messages to an address leave this machine unencrypted."""
    url = urlsplit(address)
    if url.scheme == "tls" or url.hostname == "localhost":
        return False
    with contextlib.suppress(ValueError):
        return not ipaddress.ip_address(url.hostname or "").is_loopback
    return True
