"""A pool of local devices: each takes the next block of trainings whenever it is free.

On a CPU, a block is one training. Elsewhere it is a device's share of all that are queued, whatever their seeds, rates
and numbers of steps, and fills the device with chunks of candidates; results come as trainings end.

Every device runs the same programs on the same chunks of candidates, however many devices there are. So the result of a
training is bitwise the same with any number of devices of one kind, and no device waits for another.
"""

import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from glojax.datasets import Dataset
from glojax.evaluation.block_training import train_block
from glojax.evaluation.chunk_size import ChunkSize, is_too_large_a_kernel
from glojax.evaluation.journal import checksum
from glojax.evaluation.lowering_choice import chosen_lowering, remember_lowering
from glojax.evaluation.pool import GRACE_SECONDS, Trained, Training
from glojax.evaluation.pool_programs import PoolPrograms
from glojax.evaluation.runtime import training_devices
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.tasks import TASKS
from glojax.training import (
    Train,
    TrainingConfig,
    TrainResult,
    computation_identity,
    decisive_settings,
    make_train,
)

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Variant:
    """The trainer of one configuration: a replica for each device, and how many candidates each trains at once."""

    replicas: list[Train]
    chunk_size: ChunkSize


class _Queued(NamedTuple):
    """A training that waits for a device; its outcome is put into `done`."""

    variant: _Variant
    training: Training
    num_steps: int
    done: "queue.SimpleQueue[_Outcome]"


#: Trainings and their results, or the error that ended them.
_Outcome = tuple[list[Training], TrainResult | BaseException]


class DevicePool:
    """A `TrainingPool` that trains on several devices.

    Args:
        network: Makes the network to train, from `nnx.Rngs`.
        dataset: Trained on and evaluated; each device holds a copy.
        devices: Devices to train on; None for those of `training_devices`.
        chunk_size: Candidates that a device trains at once; None for the best on its kind. See `ChunkSize`.
        conv_lowering: How convolutions are computed; None for the fastest on the first device.
        operators: Names of operators that trees will use, so that none of them compiles anything later.
    """

    def __init__(
        self,
        network: NetworkFactory,
        dataset: Dataset,
        *,
        devices: Sequence[jax.Device] | None = None,
        chunk_size: int | None = None,
        conv_lowering: ConvolutionLowering | None = None,
        operators: Iterable[str] = (),
    ):
        self.devices = list(training_devices() if devices is None else devices)
        self.conv_lowering = self._given_lowering = conv_lowering
        self.task = TASKS[dataset.task]
        self._network = network
        self._dataset = dataset
        self._given_chunk_size = chunk_size
        self._variants: dict[TrainingConfig, _Variant] = {}
        self._computations: dict[TrainingConfig, str] = {}
        self._data: dict[str, list[Any]] = {}
        self._programs = PoolPrograms(self.task.domain, operators)
        self._lock = threading.Lock()
        self._queued: deque[_Queued] = deque()
        self._num_sharing = 1
        self._threads: dict[int, threading.Thread] = {}
        self._forget_progress()

    def context(self, config: TrainingConfig) -> str:
        """Return the identity of what trainings compute; see `TrainingPool`."""
        # The computation covers functions in the configuration, and the metric.
        settings = {name: value for name, value in vars(config).items() if is_dataclass(value) or not callable(value)}
        settings = {name: value for name, value in settings.items() if name not in ("learning_rate", "metric")}
        if config.evaluate_every is None:
            # The names of fields that change nothing are left out.
            del settings["evaluate_every"], settings["patience"]
        if not config.counts_classes:
            del settings["counts_classes"]
        if config.patience is not None and self._variant(config).replicas[0].metric.lower_is_better:
            # It decides when a training stops, and the hashed computation does not contain it.
            settings["lower_is_better"] = True
        # Measured splits, steps and evaluations on the way are no part of it: search and comparison share what takes a
        # second to trace. But a schedule ends with the steps.
        num_steps = 1 if config.decay_every_epochs is None else config.num_steps
        whole = replace(config, learning_rate=1.0, splits=("validation",), counts_classes=False)
        traced = replace(whole, num_steps=num_steps, evaluate_every=None, patience=None)
        if traced not in self._computations:
            self._computations[traced] = computation_identity(self._variant(config).replicas[0])
        return checksum(
            {
                "computation": self._computations[traced],
                "config": {name: repr(value) for name, value in settings.items()},
                "dataset": self._dataset.fingerprint,
                "settings": decisive_settings(),
            }
        )

    def room(self, config: TrainingConfig) -> int:
        """Return the number of trainings for which devices are free: a chunk for each device."""
        return max(0, len(self.devices) * self._variant(config).chunk_size.size - self._num_in_progress)

    def submit(self, config: TrainingConfig, trainings: Sequence[Training]) -> None:
        """Queue trainings."""
        variant = self._variant(config)
        self._programs.take_in({training.tree for training in trainings})
        self._num_in_progress += len(trainings)
        with self._lock:
            self._queued += [_Queued(variant, training, config.num_steps, self._done) for training in trainings]
            self._num_sharing = len(self.devices)
            for index in range(len(self.devices)):
                if index not in self._threads:
                    self._threads[index] = threading.Thread(target=self._work, args=(index,), daemon=True)
                    self._threads[index].start()

    def wait(self) -> list[Trained]:
        """Wait for results; raise the error that ended trainings."""
        return self._receive(*self._done.get())

    def cancel(self) -> list[Trained]:
        """Drop what is queued, wait for what is in progress, and return its results, without errors of devices."""
        with self._lock:
            self._queued.clear()
            threads = list(self._threads.values())
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        trained: list[Trained] = []
        while not self._done.empty():
            trainings, results = self._done.get()
            if not isinstance(results, BaseException):
                trained += self._receive(trainings, results)
        self._forget_progress()
        return trained

    def _forget_progress(self) -> None:
        """Forget the trainings in progress, whose outcomes go into a queue that is no longer read."""
        self._num_in_progress = 0
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()

    def _receive(self, trainings: list[Training], results: TrainResult | BaseException) -> list[Trained]:
        self._num_in_progress -= len(trainings)
        if isinstance(results, BaseException):
            raise results
        rows = [jax.tree.map(lambda array, row=row: array[row], results) for row in range(len(trainings))]
        return list(zip(trainings, rows, strict=True))

    def _work(self, index: int) -> None:
        """Train on a device until nothing is queued."""
        while True:
            with self._lock:
                if not self._queued:
                    del self._threads[index]
                    return
                variant = self._queued[0].variant
            try:
                chunk_size = variant.chunk_size.find(self._programs.capacity, self._programs.operators)
            except BaseException as error:
                if not self._falls_back(error):
                    with self._lock:
                        block = self._take(variant, 1)
                    _put(block, error)
                continue
            with self._lock:
                block = self._take(variant, chunk_size)
            if block:
                self._train(index, block)

    def _take(self, variant: _Variant, chunk_size: int) -> list[_Queued]:
        """Take a device's share of what is queued for a variant: whole chunks, of which only the last is smaller."""
        if chunk_size == 1:
            first = next((one for one in self._queued if one.variant is variant), None)
            if first is not None:
                self._queued.remove(first)
            return [] if first is None else [first]
        seed = self._queued[0].training.seed if self._queued and variant.replicas[0].shares_batches else None
        mine = [one for one in self._queued if one.variant is variant and seed in (None, one.training.seed)]
        num_chunks = math.ceil(len(mine) / chunk_size)
        share = mine[: chunk_size * math.ceil(num_chunks / max(1, self._num_sharing))]
        self._num_sharing -= 1
        taken = set(map(id, share))
        self._queued = deque(one for one in self._queued if id(one) not in taken)
        return share

    def _train(self, index: int, block: list[_Queued]) -> None:
        """Train on a device, and put results as they come; after an error it is the outcome of what is left."""
        device, variant = self.devices[index], block[0].variant
        left = dict(enumerate(block))

        def work(chunk_size: int) -> None:
            waiting = list(left)
            ones = [left[number] for number in waiting]
            programs = self._programs.make([one.training.tree for one in ones])

            def deliver(rows: Sequence[int] | np.ndarray, results: TrainResult) -> None:
                _put([left.pop(waiting[row]) for row in rows], results)

            steps = np.array([one.num_steps for one in ones], np.int32)
            trainings = [one.training for one in ones]
            train_block(device, variant.replicas[index], trainings, steps, programs, chunk_size, deliver)

        while left:
            try:
                variant.chunk_size.halved_until_it_fits(device, work)
            except BaseException as error:
                if not self._falls_back(error):
                    _put(list(left.values()), error)
                    return

    def _falls_back(self, error: BaseException) -> bool:
        """Return whether a kernel of ours is too large for the devices, and the library computes convolutions now."""
        if not is_too_large_a_kernel(error) or self._given_lowering is not None:
            return False
        with self._lock:
            if self.conv_lowering == "implicit":
                self.conv_lowering = "grouped"
                for variant in self._variants.values():
                    variant.replicas = [replace(replica, conv_lowering="grouped") for replica in variant.replicas]
                    variant.chunk_size.train = variant.replicas[0]
                    remember_lowering(variant.replicas[0], self.devices[0], "grouped")
                _log.warning("%s is too small for our kernels; the library computes convolutions.", self.devices[0])
        return True

    def _variant(self, config: TrainingConfig) -> _Variant:
        # The rate comes with each training: configurations that differ in it alone share a compiled program. So does
        # the number of steps where trainings are not compiled one by one.
        config = replace(config, learning_rate=1.0)
        if config.has_free_end and (self.devices[0].platform != "cpu" or (self._given_chunk_size or 1) > 1):
            config = replace(config, num_steps=1)
        if config not in self._variants:
            train = make_train(self._network, self._dataset, config, conv_lowering=self.conv_lowering)
            for split, arrays in train.data.items():
                if split not in self._data:
                    self._data[split] = [jax.device_put(arrays, device) for device in self.devices]
            replicas = [
                replace(train, data={split: self._data[split][index] for split in train.data})
                for index in range(len(self.devices))
            ]
            if self.conv_lowering is None:
                self.conv_lowering = chosen_lowering(replicas[0], self.devices[0])
                replicas = [replace(replica, conv_lowering=self.conv_lowering) for replica in replicas]
            chunk_size = ChunkSize(replicas[0], self.devices[0], self._given_chunk_size)
            self._variants[config] = _Variant(replicas, chunk_size)
        return self._variants[config]


def _put(block: list[_Queued], outcome: TrainResult | BaseException) -> None:
    if block:
        block[0].done.put(([one.training for one in block], outcome))
