"""Decides when a cluster that cannot be used is given up."""

import logging
import time
from collections.abc import Collection

from glojax.cluster.worker import Worker
from glojax.errors import ClusterError

_log = logging.getLogger(__name__)

#: How long the scheduler may be silent, or all workers be unusable, before the cluster is given up.
PATIENCE_SECONDS = 30.0

#: Time between two warnings that there is no worker.
WARNING_SECONDS = 60.0


class Health:
    """Remembers when a cluster was last usable.

    Args:
        address: Where its scheduler listens.
    """

    def __init__(self, address: str):
        self._address = address
        self._answered = self._usable = self._warned = time.monotonic()

    def scheduler_answered(self) -> None:
        """Note that the scheduler has answered."""
        self._answered = time.monotonic()

    def scheduler_failed(self, cause: str, *, is_final: bool) -> None:
        """Raise ClusterError if the scheduler will not answer any more, or has been silent for too long.

        Args:
            cause: The failure, in one line.
            is_final: Whether the client has stopped reconnecting.
        """
        if is_final or time.monotonic() - self._answered > PATIENCE_SECONDS:
            raise ClusterError(f"The scheduler of the cluster is gone ({cause}).")

    def check(self, workers: Collection[Worker]) -> None:
        """Raise ClusterError if all workers have been refused for too long; log a warning if there is no worker."""
        now = time.monotonic()
        refused = [worker for worker in workers if worker.refusal is not None]
        if not refused or len(refused) < len(workers):
            self._usable = now
        elif now - self._usable > PATIENCE_SECONDS:
            raise ClusterError(f"No worker of {len(refused)} can be used ({refused[0].host}: {refused[0].refusal}).")
        if workers:
            self._warned = now
        elif now - self._warned > WARNING_SECONDS:
            _log.warning("There is no worker; waiting for one, which must be able to reach %s.", self._address)
            self._warned = now
