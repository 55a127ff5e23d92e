"""The workers of a Dask cluster as they come, work, and go.

Each has one piece of work at a time, and is given it by name: so it is known whom a death or a delay is to be charged
with. Dask carries the messages, sees who is alive, starts workers anew and launches them on batch systems.
"""

import contextlib
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import jax
from distributed import Client, Future
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from glojax.errors import ClusterError, GlojaxError
from glojax.evaluation.member import Member, Outcome
from glojax.evaluation.patience import PATIENCE_SECONDS, Patience
from glojax.evaluation.shards import differences, introduce, report

_log = logging.getLogger(__name__)

#: The topic of Dask's event log under which failures are noted.
TOPIC = "glojax-failures"

#: How often it is asked who is there.
POLL_SECONDS = 0.5

#: After these a worker is ended, as its process may be broken for good.
FATAL: Final = (MemoryError, jax.errors.JaxRuntimeError)

#: What Dask raises where the scheduler is gone.
_GONE: Final = (OSError, ValueError, RuntimeError, AttributeError, ClosedClientError)

#: How long a worker may take to say what it has done.
_REPORT_SECONDS = 10.0

#: How long a worker may take to give a sign of life.
SIGN_SECONDS = 30.0

#: How long a worker may take to import glojax and find its devices.
INTRODUCTION_SECONDS = 300.0

#: How long a worker may be idle before it is asked for a sign of life: one that was frozen, or cut off, meanwhile is to
#: be given no shard, which would be blamed.
IDLE_SECONDS = 5.0

#: How long the fetching of a result may hold up everything else.
_FETCH_SECONDS = 2.0

#: What a worker misses is its own fault: data set, network, a package, a file.
_ITS_OWN = (GlojaxError, ImportError, AttributeError, OSError)

#: How long a nanny may take to end a worker and begin another.
_RESTART_SECONDS = 120.0


class Fleet:
    """Gives work to the workers of a cluster, and sees to it that each is what the run needs.

    A worker whose versions, kind of device or XLA flags differ is refused: its results could be others. The first one
    decides on kind and flags.

    Args:
        client: Of the cluster.
        num_devices: CPU devices of each worker; None for all of its cores.
        share_machine: Whether the workers are all on this machine, each with one GPU, or cores of its own.
        has_others: Whether others may give these workers work, too: then one that is silent while it has no shard is
            waited for.
    """

    def __init__(
        self,
        client: Client,
        num_devices: int | None = None,
        share_machine: bool = False,
        has_others: bool = False,
    ):
        self._client = client
        self._num_devices = num_devices
        self._share_machine = share_machine
        self._has_others = has_others
        self._members: dict[str, Member] = {}
        self._done: queue.SimpleQueue[tuple[Member, Future[str]]] = queue.SimpleQueue()
        self._next_poll = time.monotonic()
        self._patience = Patience(self.address)
        self._abandoned: set[str] = set()
        self.platform: dict[str, str] = {}

    @property
    def members(self) -> list[Member]:
        """All workers that can be given work."""
        return [member for member in self._members.values() if member.is_usable]

    @property
    def devices(self) -> list[str]:
        """What trains, a line a worker."""
        return [f"{member.host}: {member.num_devices} {member.backend}" for member in self.members]

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return str(getattr(self._client.scheduler, "address", "an unknown address"))

    def wait_for_workers(self, number: int) -> None:
        """Wait until so many can be given work.

        Raises:
            ClusterError: The scheduler is gone, or there are workers, but none that could be used.
        """
        while len(self.members) < number:
            self.wait()

    def assign(self, member: Member, seconds: float, function: Callable[..., str], *arguments: str) -> None:
        """Give an idle worker a shard.

        Args:
            member: The worker.
            seconds: After which it is too late.
            function: Of a module that the worker can import.
            arguments: Its arguments.

        Raises:
            ClusterError: The scheduler is gone.
        """
        member.has_shard = True
        self._send(member, seconds, function, *arguments)

    def _ask(self, member: Member, seconds: float, function: Callable[..., str], *arguments: str) -> None:
        """Have a worker say something, which takes no time unless others have given it work."""
        self._send(member, float("inf") if self._has_others else seconds, function, *arguments)

    def _send(self, member: Member, seconds: float, function: Callable[..., str], *arguments: str) -> None:
        member.deadline = time.monotonic() + seconds
        try:
            member.work = work = self._client.submit(
                function, *arguments, workers=[member.address], allow_other_workers=False, pure=False, retries=0
            )
        except _GONE as error:
            raise ClusterError(f"The scheduler of the cluster is gone ({_line(error)}).") from error
        work.add_done_callback(lambda future: self._done.put((member, future)))

    def wait(self) -> list[Outcome]:
        """Outcomes as they come, for half a second or until there is none left that has come already.

        Raises:
            ClusterError: The scheduler is gone, or there are workers, but none that could be used.
        """
        outcomes = [outcome for outcome in self._poll() if outcome is not None]
        ended: list[tuple[Member, Future[str]]] = []
        with contextlib.suppress(queue.Empty):
            if not outcomes:
                ended.append(self._done.get(timeout=max(0.01, self._next_poll - time.monotonic())))
            while True:
                ended.append(self._done.get_nowait())
        for member, work in ended:
            if member.work is work and (outcome := self._outcome(member, work)):
                outcomes.append(outcome)
        return outcomes

    def drop_work(self) -> None:
        """Ask for nothing any more that has been given out."""
        for member in self._members.values():
            if member.work is not None and member.has_shard:
                with contextlib.suppress(*_GONE):
                    member.work.cancel()
                member.work, member.has_shard = None, False

    def reports(self) -> tuple[dict[str, dict[str, Any] | None], list[dict[str, Any]]]:
        """What the workers have done, and what befell workers.

        Returns:
            By address what `report` says, None of a worker that does not answer; and notes in the order of time.
        """
        told: dict[str, dict[str, Any] | None] = dict.fromkeys(self._client.nthreads())

        def ask(address: str) -> None:
            with contextlib.suppress(*_GONE):
                told[address] = json.loads(self._client.run(report, workers=[address])[address])

        threads = [threading.Thread(target=ask, args=(address,), daemon=True) for address in told]
        for thread in threads:
            thread.start()
        end = time.monotonic() + _REPORT_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        failures = [note for _, note in self._client.get_events(TOPIC)]
        return dict(told), failures

    def _outcome(self, member: Member, work: Future[str]) -> Outcome | None:
        """What became of a shard that has ended; None of an introduction or a sign of life."""
        text: str | None = None
        error: Exception | None = None
        try:
            text = work.result(timeout=_FETCH_SECONDS)
        except KilledWorker:
            pass
        except TimeoutError as raised:
            if work.status != "error":
                # It may die between the end of its work and the fetching of what came of it: then it will be missed.
                self._done.put((member, work))
                return None
            error = raised
        except Exception as raised:
            error = raised
        had_shard = member.has_shard
        member.work, member.has_shard, member.heard = None, False, time.monotonic()
        work.release()
        if member.num_devices == 0:
            self._admit(member, text, error)
            return None
        if isinstance(error, FATAL):
            self._note(member, _line(error))
            self._abandon(member)
            self._forget(member)
        elif isinstance(error, _ITS_OWN) and not isinstance(error, CommClosedError):
            self._refuse(member, _line(error))
        return Outcome(member, text, error) if had_shard else None

    def _poll(self) -> Iterator[Outcome | None]:
        """Look who came, went or is late: what became of the shards of those that are gone; None of those without."""
        now = time.monotonic()
        if now < self._next_poll:
            return
        # While this process did something else, or was stopped, nobody was late: answers may lie unread.
        for member in self._members.values():
            member.deadline += now - self._next_poll
        try:
            there = set(self._client.nthreads(callback_timeout=PATIENCE_SECONDS))
            self._patience.scheduler_answered()
        except _GONE as error:
            # A client that lost its scheduler tries for a while to find it again.
            self._patience.scheduler_failed(_line(error), is_final=self._client.status in ("closing", "closed"))
            there = set(self._members)
        self._next_poll = time.monotonic() + POLL_SECONDS
        for member in list(self._members.values()):
            if member.address not in there:
                self._note(member, "lost")
                yield self._forget(member)
            elif member.work is not None and not member.work.done() and time.monotonic() > member.deadline:
                self._note(member, "late" if member.has_shard else "silent")
                self._abandon(member)
                yield self._forget(member)
            elif member.is_idle and time.monotonic() - member.heard > IDLE_SECONDS:
                self._ask(member, SIGN_SECONDS, report)
        self._abandoned &= there
        for address in there - self._members.keys() - self._abandoned:
            taken = {member.place for member in self._members.values()}
            place = next(number for number in count() if number not in taken)
            member = self._members[address] = Member(address, place, address)
            options = {"num_devices": self._num_devices, "place": place if self._share_machine else None}
            self._ask(member, INTRODUCTION_SECONDS, introduce, json.dumps(options))
        self._patience.look(self._members.values())

    def _forget(self, member: Member) -> Outcome | None:
        del self._members[member.address]
        if member.work is not None:
            member.work.release()
        had_shard, member.work, member.has_shard = member.has_shard, None, False
        return Outcome(member, None, None) if had_shard else None

    def _abandon(self, member: Member) -> None:
        """Have its nanny end it and start another, or have the scheduler do without it."""
        self._abandoned.add(member.address)

        def restart() -> None:
            try:
                self._client.restart_workers([member.address], timeout=_RESTART_SECONDS, raise_for_error=False)
            except Exception:
                with contextlib.suppress(Exception):
                    self._client.retire_workers([member.address], close_workers=True)

        threading.Thread(target=restart, daemon=True).start()

    def _admit(self, member: Member, text: str | None, error: Exception | None) -> None:
        if text is None:
            self._refuse(member, "it did not introduce itself" if error is None else _line(error))
            return
        about = json.loads(text)
        member.host, member.backend, member.num_devices = about["host"], about["backend"], about["num_devices"]
        if differing := differences(about, self.platform or about["platform"]):
            self._refuse(member, "; ".join(differing))
        else:
            self.platform = self.platform or about["platform"]

    def _refuse(self, member: Member, reason: str) -> None:
        member.refusal = reason
        self._note(member, f"refused: {reason}")

    def _note(self, member: Member, what: str) -> None:
        _log.warning("Worker %s on %s: %s", member.address, member.host, what)
        note: dict[str, Any] = {"address": member.address, "host": member.host, "what": what}
        with contextlib.suppress(*_GONE):
            self._client.log_event(TOPIC, note)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
