"""How long a cluster may be of no use before the user is told, or it is given up."""

import logging
import time
from collections.abc import Collection

from glojax.errors import ClusterError
from glojax.evaluation.member import Member

_log = logging.getLogger(__name__)

#: How long a scheduler may be silent, or every worker be of no use, before it is given up.
PATIENCE_SECONDS = 30.0

#: How often it is said that there is no worker.
WARNING_SECONDS = 60.0


class Patience:
    """Sees when a cluster was last of use.

    Args:
        address: Where its scheduler listens.
    """

    def __init__(self, address: str):
        self._address = address
        self._answered = self._useful = self._warned = time.monotonic()

    def scheduler_answered(self) -> None:
        """Its silence, if there was one, is over."""
        self._answered = time.monotonic()

    def scheduler_failed(self, cause: str, *, is_final: bool) -> None:
        """Raise ClusterError where it will not answer any more, or has been silent for too long.

        Args:
            cause: What went wrong, in a line.
            is_final: Whether nobody tries to find it again.
        """
        if is_final or time.monotonic() - self._answered > PATIENCE_SECONDS:
            raise ClusterError(f"The scheduler of the cluster is gone ({cause}).")

    def look(self, members: Collection[Member]) -> None:
        """Raise ClusterError where there have long been workers and none of use; say where there is none at all."""
        now = time.monotonic()
        refused = [member for member in members if member.refusal is not None]
        if not refused or len(refused) < len(members):
            self._useful = now
        elif now - self._useful > PATIENCE_SECONDS:
            raise ClusterError(f"No worker of {len(refused)} can be used ({refused[0].host}: {refused[0].refusal}).")
        if members:
            self._warned = now
        elif now - self._warned > WARNING_SECONDS:
            _log.warning("No worker is there; waiting for one, which must be able to reach %s.", self._address)
            self._warned = now
