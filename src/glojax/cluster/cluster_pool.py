"""Trains losses on the workers of a cluster, in shards."""

import contextlib
import dataclasses
import json
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Final

import jax

from glojax.cluster.network_text import network_text
from glojax.cluster.settings import ClusterProgress, Limits
from glojax.cluster.shard_size import Speed, shard_size
from glojax.cluster.worker import FATAL, LACKING, Outcome, Worker
from glojax.cluster.worker_pool import WorkerPool
from glojax.cluster.worker_tasks import shard_results, train_shard
from glojax.cpu_devices import cpu_device
from glojax.datasets import Dataset, DatasetSource
from glojax.errors import ClusterError
from glojax.evaluation import DevicePool, Trained, Training
from glojax.evaluation.chunk_size import LARGEST
from glojax.evaluation.journal import crashed_result
from glojax.evaluation.pool import GRACE_SECONDS
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.training import TrainingConfig, config_record

_log = logging.getLogger(__name__)

MAX_FAILURES: Final = 3  #: Workers that a training, alone in its shard, may end before it counts as crashed.


@dataclass
class _Shard:
    """Trainings for one worker, and the number of workers that they have ended."""

    config: TrainingConfig
    trainings: list[Training]
    failures: int = 0


class ClusterPool:
    """A `TrainingPool` that trains on the workers of a cluster.

    A shard whose worker dies or is late is halved, and both halves are tried again; a training that has ended three
    workers, alone in its shard, counts as crashed. All workers run this package on one kind of device. A result
    therefore depends neither on the worker nor on the shard if a device trains one candidate at a time, as on a CPU; if
    it trains several, as on a GPU, their number depends on the shard and may change the rounding.

    Workers get `network` as `network_text` writes it, and load the data set from `source`. They train as `DevicePool`
    does; all use the convolution lowering that is the fastest for the first one, unless it is given. Each call of
    `wait` passes the state of the workers to `on_progress`.
    """

    def __init__(
        self,
        network: NetworkFactory,
        source: DatasetSource,
        dataset: Dataset,
        workers: WorkerPool,
        *,
        limits: Limits | None = None,
        chunk_size: int | None = None,
        conv_lowering: ConvolutionLowering | None = None,
        operators: Iterable[str] = (),
        on_progress: Callable[[ClusterProgress], None] = lambda progress: None,
    ):
        self._order = {
            "network": network_text(network),
            "source": dataclasses.asdict(source.absolute()),
            "fingerprint": dataset.fingerprint,
            "chunk_size": chunk_size,
            "operators": list(operators),
        }
        self._head = DevicePool(network, dataset, devices=[cpu_device(0)], conv_lowering=conv_lowering or "canonical")
        self.task = self._head.task
        self._workers = workers
        self._limits = limits or Limits()
        self._chunk_size = chunk_size
        self._lowering = conv_lowering
        self._on_progress = on_progress
        self._num_retries = 0
        self._has_succeeded = False
        self._left = deque[tuple[TrainingConfig, Training]]()
        self._retries = deque[_Shard]()
        self._in_flight: dict[str, _Shard] = {}
        self._results: list[Trained] = []
        # By address and configuration, as a worker compiles anew for each configuration.
        self._speeds: dict[tuple[str, TrainingConfig], Speed] = defaultdict(Speed)

    def context(self, config: TrainingConfig) -> str:
        """Return the identity of what trainings compute; see `TrainingPool`."""
        # The head leaves accelerators to the workers.
        with jax.default_device(cpu_device(0)):
            return self._head.context(config)

    def room(self, config: TrainingConfig) -> int:
        """Return the number of trainings that idle workers would begin at once."""
        num_slots = sum(self._num_slots(worker) for worker in self._workers.workers if worker.is_idle)
        return max(0, num_slots - len(self._left) - sum(len(shard.trainings) for shard in self._retries))

    def submit(self, config: TrainingConfig, trainings: Sequence[Training]) -> None:
        """Add trainings, which begin as soon as a worker is free and `wait` is called."""
        config_record(config)  # raises ConfigurationError for a function that workers could not import
        self._left.extend((config, training) for training in trainings)

    def wait(self) -> list[Trained]:
        """Give shards to idle workers, and return new results; wait up to half a second for the first one.

        Raises:
            ClusterError: The scheduler is gone, all workers have been refused, or a training has ended three workers
                before any other succeeded.
        """
        self._hand_out()
        for outcome in self._workers.wait():
            self._receive(outcome)
        self._hand_out()
        self._on_progress(ClusterProgress(len(self._workers.workers), len(self._in_flight), self._num_retries))
        results, self._results = self._results, []
        return results

    def cancel(self) -> list[Trained]:
        """Drop trainings that have not begun, and wait for the others; see `TrainingPool`."""
        self._left.clear()
        self._retries.clear()
        end = time.monotonic() + GRACE_SECONDS
        with contextlib.suppress(ClusterError):
            while self._in_flight and time.monotonic() < end:
                for outcome in self._workers.wait():
                    shard = self._in_flight.pop(outcome.worker.address, None)
                    if shard is not None and outcome.text is not None:
                        self._keep_results(outcome, shard, outcome.text)
        self._in_flight.clear()
        self._workers.cancel()
        results, self._results = self._results, []
        return results

    def _hand_out(self) -> None:
        """Give each idle worker a shard: first those to be retried."""
        for worker in self._workers.workers:
            if not worker.is_idle or not (self._left or self._retries):
                continue
            lowering = "canonical" if self._lowering is None and worker.backend == "cpu" else self._lowering
            if lowering is None and self._in_flight:
                return  # The first worker finds the fastest lowering, which all others then use.
            shard = self._retries.popleft() if self._retries else self._next_shard(worker)
            self._in_flight[worker.address] = shard
            order = {
                "pool": self._order | {"lowering": lowering},
                "config": config_record(shard.config),
                "context": shard.trainings[0].context,
            }
            rows = [(str(training.tree), training.seed, training.learning_rate) for training in shard.trainings]
            self._workers.assign(
                worker, self._time_limit(worker, shard), train_shard, json.dumps(order), json.dumps(rows)
            )

    def _next_shard(self, worker: Worker) -> _Shard:
        """Take a shard for a worker from the trainings that are left; they share a configuration."""
        config, _ = self._left[0]
        workers = self._workers.workers
        speeds = [self._speeds[other.address, config].trainings_per_second for other in workers]
        known = [speed for speed in speeds if speed is not None]
        # A new worker is assumed to be as fast as the others are on average.
        total = sum(known) * len(workers) / len(known) if known else None
        own = self._speeds[worker.address, config].trainings_per_second
        size = shard_size(len(self._left), self._num_slots(worker), own, total, self._limits.shard_seconds)
        shard = _Shard(config, [])
        while self._left and len(shard.trainings) < size and self._left[0][0] == config:
            shard.trainings.append(self._left.popleft()[1])
        return shard

    def _num_slots(self, worker: Worker) -> int:
        """Return the number of trainings that a worker does at once."""
        return worker.num_devices * (self._chunk_size or (1 if worker.backend == "cpu" else LARGEST))

    def _time_limit(self, worker: Worker, shard: _Shard) -> float:
        """Return the seconds after which a shard is late: more after each failure, which a busy machine may cause."""
        limits, seconds = self._limits, self._limits.first_seconds
        if steps_per_second := self._speeds[worker.address, shard.config].steps_per_second:
            num_slots = self._num_slots(worker)
            num_steps = -(-len(shard.trainings) // num_slots) * num_slots * shard.config.num_steps
            seconds = limits.slack_factor * num_steps / steps_per_second + limits.slack_seconds
        return seconds * limits.slack_factor**shard.failures

    def _receive(self, outcome: Outcome) -> None:
        """Keep the results of a shard, or retry its trainings; a failure is the end of the worker."""
        shard = self._in_flight.pop(outcome.worker.address)
        if outcome.text is not None:
            self._keep_results(outcome, shard, outcome.text)
            return
        self._num_retries += 1
        if isinstance(outcome.error, (*LACKING, CancelledError)):  # no failure of the shard
            self._retries.append(shard)
            return
        if outcome.error is not None and not isinstance(outcome.error, FATAL):
            raise outcome.error  # an error of the program
        shard.failures += 1
        tree = shard.trainings[0].tree
        if middle := len(shard.trainings) // 2:
            halves = shard.trainings[:middle], shard.trainings[middle:]
            self._retries.extend(_Shard(shard.config, half) for half in halves)
        elif shard.failures < MAX_FAILURES:
            self._retries.append(shard)
        elif not self._has_succeeded:
            raise ClusterError(
                f"No training has been done, and {tree} has ended {MAX_FAILURES} workers, alone. See that they have "
                "memory, and time, for one."
            )
        else:
            _log.warning("%s has ended %d workers, alone: it counts as crashed.", tree, MAX_FAILURES)
            self._results.append((shard.trainings[0], crashed_result(shard.config.splits)))

    def _keep_results(self, outcome: Outcome, shard: _Shard, text: str) -> None:
        results, seconds, lowering = shard_results(text)
        self._speeds[outcome.worker.address, shard.config].add(results, seconds)
        if outcome.worker.backend != "cpu":
            self._lowering = self._lowering or lowering
        self._has_succeeded = True
        self._results += zip(shard.trainings, results, strict=True)
