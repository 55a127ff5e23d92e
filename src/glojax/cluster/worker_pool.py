"""The workers of a Dask cluster: which ones exist, what each is doing, and which ones are ended.

Each worker has one task at a time, submitted to its address, so that a death or a delay can be attributed to one shard.
Dask carries messages, detects dead workers, restarts workers and launches them on batch systems.
"""

import contextlib
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from distributed import Client, Future
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from glojax.cluster.worker import FATAL, GONE, LACKING, Outcome, Worker, is_exposed
from glojax.cluster.worker_tasks import differences, introduce, report
from glojax.errors import ClusterError, in_one_line

_log = logging.getLogger(__name__)

#: The topic of Dask's event log that holds failures of workers.
TOPIC = "glojax-failures"

POLL_SECONDS = 0.5  #: Time between two looks at the list of workers.
PATIENCE_SECONDS = 30.0  #: How long all workers may be refused before the cluster is given up.
MAX_LOST = 3  #: How many workers may end before they can be given work, while there is no other.
RESPONSE_SECONDS = 30.0  #: How long an idle worker may take to respond.
WARNING_SECONDS = 60.0  #: Time between two warnings that there is no worker.

#: How long a worker may be idle before a check that it still responds. A worker that froze or lost its connection must
#: not be given a shard, to which its failure would be attributed.
IDLE_SECONDS = 5.0

_SCHEDULER_SECONDS = 30.0  # how long the scheduler may be silent before the cluster is given up
_INTRODUCTION_SECONDS = 300.0  # for a worker to import glojax and find its devices
_REPORT_SECONDS = 10.0  # for all workers to report their counts
_FETCH_SECONDS = 2.0  # for fetching one result, which blocks everything else
_UNFETCHED_SECONDS = 5.0  # for fetching it again, beside the time that fetching blocks, until the worker is late
_RESTART_SECONDS = 120.0  # for a nanny to replace a worker


class WorkerPool:
    """Gives tasks to the workers of a cluster, after checking that each fits the run.

    A worker is refused if its results could differ: its versions and its settings of JAX and XLA must be those of this
    process, and its kind of device that of the first worker.

    Args:
        client: Client of the cluster.
        num_devices: CPU devices of each worker; None for all of its cores.
        share_machine: Whether all workers are on this machine; each then uses one GPU, or its own cores.
        is_shared: Whether other clients may give these workers tasks, too; an idle worker may then take any time to
            respond.
        allow_exposed: Whether messages to workers may leave this machine unencrypted.
        require_jobs: Called while there is no worker; raises ClusterError if none will come.
    """

    def __init__(
        self,
        client: Client,
        num_devices: int | None = None,
        share_machine: bool = False,
        is_shared: bool = False,
        allow_exposed: bool = False,
        require_jobs: Callable[[], None] = lambda: None,
    ):
        self._client = client
        self._num_devices = num_devices
        self._share_machine = share_machine
        self._is_shared = is_shared
        self._allow_exposed = allow_exposed
        self._require_jobs = require_jobs
        self._workers: dict[str, Worker] = {}
        self._done: queue.SimpleQueue[tuple[Worker, Future[str]]] = queue.SimpleQueue()
        self._next_poll = self._answered = self._usable = self._warned = time.monotonic()
        self._ended: set[str] = set()
        self._num_lost = 0
        self.platform: dict[str, str] = {}

    @property
    def workers(self) -> list[Worker]:
        """All workers that can be given work."""
        return [worker for worker in self._workers.values() if worker.is_usable]

    @property
    def devices(self) -> list[str]:
        """The devices that train: one line for each worker."""
        return [f"{worker.host}: {worker.num_devices} {worker.backend}" for worker in self.workers]

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return str(getattr(self._client.scheduler, "address", "an unknown address"))

    def wait_for_workers(self, number: int) -> None:
        """Wait until `number` workers can be given work; see `wait`."""
        while len(self.workers) < number:
            self.wait()

    def wait(self) -> list[Outcome]:
        """Return the outcomes of shards; wait up to half a second for the first one.

        Raises:
            ClusterError: The scheduler is gone, or all workers have been refused.
        """
        outcomes = [outcome for outcome in self._poll() if outcome is not None]
        ended: list[tuple[Worker, Future[str]]] = []
        with contextlib.suppress(queue.Empty):
            if not outcomes:
                ended.append(self._done.get(timeout=max(0.01, self._next_poll - time.monotonic())))
            while True:
                ended.append(self._done.get_nowait())
        settled = [self._outcome(worker, task) for worker, task in ended if worker.task is task]
        return outcomes + [outcome for outcome in settled if outcome is not None]

    def cancel(self) -> None:
        """Cancel all shards."""
        for worker in self._workers.values():
            if worker.task is not None and worker.has_shard:
                with contextlib.suppress(*GONE):
                    worker.task.cancel()
                worker.end_task()

    def reports(self) -> tuple[dict[str, dict[str, Any] | None], list[dict[str, Any]]]:
        """Return the counts of all workers by address (see `report`; None for a silent one), and all failures."""
        reports: dict[str, dict[str, Any] | None] = dict.fromkeys(self._client.nthreads())

        def ask(address: str) -> None:
            with contextlib.suppress(*GONE):
                reports[address] = json.loads(self._client.run(report, workers=[address])[address])

        threads = [threading.Thread(target=ask, args=(address,), daemon=True) for address in reports]
        for thread in threads:
            thread.start()
        end = time.monotonic() + _REPORT_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return dict(reports), [record for _, record in self._client.get_events(TOPIC)]

    def assign(
        self, worker: Worker, seconds: float, function: Callable[..., str], *arguments: str, is_shard: bool = True
    ) -> None:
        """Give an idle worker a task: a function that it can import, which is late after so many seconds."""
        worker.has_shard = is_shard
        # Other clients may keep a worker busy for any time before it answers.
        is_unlimited = self._is_shared and not is_shard
        worker.deadline = float("inf") if is_unlimited else time.monotonic() + seconds
        try:
            worker.task = task = self._client.submit(
                function, *arguments, workers=[worker.address], allow_other_workers=False, pure=False, retries=0
            )
        except GONE as error:
            raise ClusterError(f"The scheduler of the cluster is gone ({in_one_line(error)}).") from error
        task.add_done_callback(lambda future: self._done.put((worker, future)))

    def _outcome(self, worker: Worker, task: Future[str]) -> Outcome | None:
        """Return the outcome of a shard whose task has ended; handle the end of any other task."""
        text: str | None = None
        error: Exception | None = None
        try:
            text = task.result(timeout=_FETCH_SECONDS)
        except KilledWorker:
            pass
        except TimeoutError as raised:
            if task.status != "error":
                # The worker may die or freeze after its task has ended and before its result is fetched: `_poll` sees
                # either.
                worker.deadline = min(worker.deadline, time.monotonic() + _UNFETCHED_SECONDS)
                self._done.put((worker, task))
                return None
            error = raised
        except Exception as raised:
            error = raised
        task.release()
        worker.last_response = time.monotonic()
        had_shard = worker.end_task()
        if worker.num_devices == 0:
            self._admit(worker, text, error)
            return None
        if isinstance(error, FATAL):
            self._record(worker, in_one_line(error))
            self._replace(worker)
            self._remove(worker)
        elif isinstance(error, LACKING) and not isinstance(error, CommClosedError):
            self._refuse(worker, in_one_line(error))
        return Outcome(worker, text, error) if had_shard else None

    def _poll(self) -> Iterator[Outcome | None]:
        """Update the list of workers, and end those that are late.

        Yields:
            The outcome of the shard of each worker that has left; None for a worker without a shard.
        """
        now = time.monotonic()
        if now < self._next_poll:
            return
        # Answers may be unread if this process was stopped or busy since the last poll: extend the deadlines.
        for worker in self._workers.values():
            worker.deadline += now - self._next_poll
        present = self._present()
        self._next_poll = time.monotonic() + POLL_SECONDS
        for worker in list(self._workers.values()):
            if worker.address not in present:
                self._record(worker, "lost")
                self._num_lost += worker.num_devices == 0 and worker.refusal is None
                yield self._remove(worker)
            elif worker.task is not None and time.monotonic() > worker.deadline:
                self._record(worker, "late" if worker.has_shard else "silent")
                self._replace(worker)
                yield self._remove(worker)
            elif worker.is_idle and time.monotonic() - worker.last_response > IDLE_SECONDS:
                self.assign(worker, RESPONSE_SECONDS, report, is_shard=False)
        self._ended &= present
        for address in present - self._workers.keys() - self._ended:
            used = {worker.index for worker in self._workers.values()}
            index = next(number for number in count() if number not in used)
            worker = self._workers[address] = Worker(address, index, address)
            if is_exposed(address) and not self._allow_exposed:
                self._refuse(worker, "messages to it would leave this machine unencrypted")
            else:
                options = {"num_devices": self._num_devices, "index": index if self._share_machine else None}
                self.assign(worker, _INTRODUCTION_SECONDS, introduce, json.dumps(options), is_shard=False)
        self._check_usable()

    def _present(self) -> set[str]:
        """Return the addresses of the workers that the scheduler knows."""
        try:
            present = set(self._client.nthreads(callback_timeout=_SCHEDULER_SECONDS))
        except GONE as error:
            # A client that has lost its scheduler tries to reconnect for a while.
            is_closed = self._client.status in ("closing", "closed")
            if is_closed or time.monotonic() - self._answered > _SCHEDULER_SECONDS:
                raise ClusterError(f"The scheduler of the cluster is gone ({in_one_line(error)}).") from error
            return set(self._workers)
        self._answered = time.monotonic()
        return present

    def _check_usable(self) -> None:
        """Raise ClusterError if all workers end, or were refused for too long; log a warning if there is none."""
        if self._num_lost >= MAX_LOST and not self.workers:
            raise ClusterError(f"{MAX_LOST} workers ended before they could train; see that they have memory for it.")
        now = time.monotonic()
        refused = [worker for worker in self._workers.values() if worker.refusal is not None]
        if not refused or len(refused) < len(self._workers):
            self._usable = now
        elif now - self._usable > PATIENCE_SECONDS:
            raise ClusterError(f"No worker of {len(refused)} can be used ({refused[0].host}: {refused[0].refusal}).")
        if self._workers:
            self._warned = now
        elif now - self._warned > WARNING_SECONDS:
            self._require_jobs()
            _log.warning("There is no worker; waiting for one, which must be able to reach %s.", self.address)
            self._warned = now

    def _remove(self, worker: Worker) -> Outcome | None:
        del self._workers[worker.address]
        if worker.task is not None:
            worker.task.release()
        return Outcome(worker, None, None) if worker.end_task() else None

    def _replace(self, worker: Worker) -> None:
        """Have the nanny of a worker end it and start another one; without a nanny, the scheduler drops the worker."""
        self._ended.add(worker.address)

        def restart() -> None:
            try:
                self._client.restart_workers([worker.address], timeout=_RESTART_SECONDS, raise_for_error=False)
            except Exception:
                with contextlib.suppress(Exception):
                    self._client.retire_workers([worker.address], close_workers=True)

        threading.Thread(target=restart, daemon=True).start()

    def _admit(self, worker: Worker, text: str | None, error: Exception | None) -> None:
        """Accept or refuse a worker after its introduction."""
        if text is None:
            self._refuse(worker, "it did not introduce itself" if error is None else in_one_line(error))
            return
        about = json.loads(text)
        self._num_lost = 0
        worker.host, worker.backend, worker.num_devices = about["host"], about["backend"], about["num_devices"]
        if differing := differences(about, self.platform or about["platform"]):
            self._refuse(worker, "; ".join(differing))
        else:
            self.platform = self.platform or about["platform"]

    def _refuse(self, worker: Worker, reason: str) -> None:
        worker.refusal = reason
        self._record(worker, f"refused: {reason}")

    def _record(self, worker: Worker, what: str) -> None:
        _log.warning("Worker %s on %s: %s", worker.address, worker.host, what)
        with contextlib.suppress(*GONE):
            self._client.log_event(TOPIC, {"address": worker.address, "host": worker.host, "what": what})
