"""Trains losses on the workers of a cluster, shard by shard."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Final

from glojax.datasets import Dataset, DatasetSource
from glojax.errors import ClusterError, GlojaxError
from glojax.evaluation.chunk_size import LARGEST
from glojax.evaluation.cluster_settings import ClusterProgress, Limits
from glojax.evaluation.device_pool import GRACE_SECONDS
from glojax.evaluation.fleet import FATAL, Fleet
from glojax.evaluation.journal import Training, TrainingJournal, crashed_result
from glojax.evaluation.member import Member, Outcome
from glojax.evaluation.shard_size import Pace, shard_size
from glojax.evaluation.shards import shard_results, shard_text, train_shard, work_order
from glojax.evaluation.trainer import JournaledTrainer, Missing
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.training import TrainingConfig, check_training

_log = logging.getLogger(__name__)

#: Workers that a training, alone in its shard, may end before it counts as crashed.
MAX_STRIKES: Final = 3


@dataclass
class _Shard:
    """Trainings for one worker, and how many workers it has ended."""

    trainings: list[Training]
    strikes: int = 0


class ClusterTrainer(JournaledTrainer):
    """Trains losses, each as given, on the workers of a fleet; what its journal holds is not trained again.

    A shard whose worker dies, or is too late, is halved, and both halves are tried again; a training that is alone in
    its shard and has ended three workers counts as crashed. All workers run the trainer of this package on one kind of
    device. So a result is the same number whoever trained it, in whatever shard, where a device trains one candidate at
    a time, as on a CPU; where it trains several, as on a GPU, their number, which depends on the shard, may round it
    otherwise.

    Args:
        network: Makes the network to train, from `nnx.Rngs`; of a module that workers can import.
        dataset: Trained on and evaluated.
        config: Budget and hyperparameters of a training.
        source: What workers load the data set from.
        fleet: The workers.
        limits: Of shards; None for the default ones.
        capacity: Nodes that a program holds; see `PopulationTrainer`.
        chunk_size: Candidates that a device trains at once; None for the best on its kind.
        conv_lowering: How convolutions are computed; None for the fastest on the first worker's devices.
        journal: Where results are kept; None for a fresh one in memory.
        on_progress: Called again and again with how the workers fare.

    Raises:
        ConfigurationError: Network, data set and configuration do not fit each other.
    """

    def __init__(
        self,
        network: NetworkFactory,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        source: DatasetSource,
        fleet: Fleet,
        limits: Limits | None = None,
        capacity: int = 1,
        chunk_size: int | None = None,
        conv_lowering: ConvolutionLowering | None = None,
        journal: TrainingJournal | None = None,
        on_progress: Callable[[ClusterProgress], None] = lambda progress: None,
    ):
        super().__init__(network, dataset, config, journal)
        check_training(network, dataset, config)
        self._order = work_order(network, source, dataset, config, capacity, chunk_size)
        self._chunk_size = chunk_size
        self._lowering = conv_lowering
        self._fleet = fleet
        self._limits = limits or Limits()
        self._on_progress = on_progress
        self._retries = 0
        self._paces: dict[str, Pace] = {}
        self._in_flight: dict[str, _Shard] = {}

    def _train(self, left: Missing) -> Generator[int]:
        again = deque[_Shard]()
        try:
            while True:
                self._hand_out(left, again)
                self._report()
                num_left = len(left)
                yield self._room(left, again)
                if len(left) == num_left:
                    for outcome in self._fleet.wait():
                        self._receive(outcome, again)
        finally:
            self._finish_in_flight()

    def _room(self, left: Missing, again: deque[_Shard]) -> int:
        """Losses that idle workers could begin: as many as each trains at once."""
        if left or again:
            return 0
        return sum(self._lanes(member) for member in self._fleet.members if member.is_idle)

    def _hand_out(self, left: Missing, again: deque[_Shard]) -> None:
        """Give each idle worker a shard: first those that were tried before."""
        for member in self._fleet.members:
            if not member.is_idle or not (left or again):
                continue
            lowering = "canonical" if self._lowering is None and member.backend == "cpu" else self._lowering
            if lowering is None and self._in_flight:
                return  # until the first worker has found the fastest, which is then that of all
            if again:
                shard = again.popleft()
            else:
                size = self._size(member, len(left))
                shard = _Shard([left.popleft()[0] for _ in range(size)])
            self._in_flight[member.address] = shard
            order, rows = shard_text(self._order, lowering, shard.trainings)
            self._fleet.assign(member, self._allowance(member, shard), train_shard, order, rows)

    def _lanes(self, member: Member) -> int:
        """Trainings that a worker does at once."""
        return member.num_devices * (self._chunk_size or (1 if member.backend == "cpu" else LARGEST))

    def _size(self, member: Member, num_left: int) -> int:
        paces = [self._paces.setdefault(one.address, Pace()) for one in self._fleet.members]
        own = self._paces[member.address].trainings_per_second
        known = [pace.trainings_per_second for pace in paces if pace.trainings_per_second is not None]
        # Whoever is new is taken for as fast as the others are on average.
        total = sum(known) * len(paces) / len(known) if known else None
        return shard_size(num_left, self._lanes(member), own, total, self._limits.shard_seconds)

    def _allowance(self, member: Member, shard: _Shard) -> float:
        """Seconds after which a shard is late: more with each strike, as a busy machine is no deadly loss."""
        limits, pace = self._limits, self._paces.setdefault(member.address, Pace()).steps_per_second
        if pace is None:
            seconds = limits.first_seconds
        else:
            lanes = self._lanes(member)
            num_steps = -(-len(shard.trainings) // lanes) * lanes * self.config.num_steps
            seconds = limits.slack_factor * num_steps / pace + limits.slack_seconds
        return seconds * limits.slack_factor**shard.strikes

    def _receive(self, outcome: Outcome, again: deque[_Shard]) -> None:
        """Keep results, or see to it that they come."""
        shard = self._in_flight.pop(outcome.member.address)
        if outcome.text is not None:
            results, seconds, lowering = shard_results(outcome.text)
            self._paces.setdefault(outcome.member.address, Pace()).add(results, seconds)
            if outcome.member.backend != "cpu":
                self._lowering = self._lowering or lowering
            for training, result in zip(shard.trainings, results, strict=True):
                if self.journal.find(training) is None:
                    self.journal.add(training, result)
            return
        self._retries += 1
        if not _is_charged(outcome.error):
            again.append(shard)
            return
        shard.strikes += 1
        if len(shard.trainings) > 1:
            middle = len(shard.trainings) // 2
            again.extend([_Shard(shard.trainings[:middle]), _Shard(shard.trainings[middle:])])
            return
        if shard.strikes < MAX_STRIKES:
            again.append(shard)
            return
        (training,) = shard.trainings
        if not self.journal:
            raise ClusterError(
                f"No training has been done, and {training.expression} has ended {MAX_STRIKES} workers, alone. See "
                "that they have memory, and time, for one."
            )
        _log.warning("%s has ended %d workers, alone: it counts as crashed.", training.expression, MAX_STRIKES)
        self.journal.add(training, crashed_result(self.config.splits))

    def _finish_in_flight(self) -> None:
        """Where results are asked for no more: wait a little for what is being trained, then let go of it."""
        end = time.monotonic() + GRACE_SECONDS
        with contextlib.suppress(ClusterError):
            while self._in_flight and time.monotonic() < end:
                for outcome in self._fleet.wait():
                    if outcome.text is None:
                        del self._in_flight[outcome.member.address]
                    else:
                        self._receive(outcome, deque())
        self._in_flight.clear()
        self._fleet.drop_work()

    def _report(self) -> None:
        self._on_progress(ClusterProgress(len(self._fleet.members), len(self._in_flight), self._retries))


def _is_charged(error: Exception | None) -> bool:
    """Whether a shard is to blame: its worker died, was late, or had to be ended.

    A worker that misses something is to blame itself; nobody is where the scheduler's connection broke.

    Raises:
        Exception: The error, where it is none of these, but a fault of the program.
    """
    if error is None or isinstance(error, FATAL):
        return True
    if isinstance(error, (GlojaxError, ImportError, AttributeError, OSError, CancelledError)):
        return False
    raise error
