"""A pool of local devices: each takes the next block of trainings whenever it is free.

Every device runs the same programs on the same chunks of candidates, however many devices there are. So the result of a
training is bitwise the same with any number of devices of one kind, and no device waits for another.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from glojax.datasets import Dataset
from glojax.evaluation.chunk_size import ChunkSize
from glojax.evaluation.journal import checksum
from glojax.evaluation.lowering_choice import fastest_lowering
from glojax.evaluation.pool import GRACE_SECONDS, Trained, Training
from glojax.evaluation.pool_programs import PoolPrograms
from glojax.evaluation.runtime import training_devices
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering, NetworkFactory
from glojax.tasks import TASKS
from glojax.training import (
    Train,
    TrainingConfig,
    TrainResult,
    computation_identity,
    decisive_settings,
    make_train,
    train_in_segments,
    train_population,
)


class _Variant(NamedTuple):
    """The trainer of one configuration: a replica for each device, and how many candidates each trains at once."""

    replicas: list[Train]
    chunk_size: ChunkSize


class _Block(NamedTuple):
    """Trainings that a device takes at a time; those of a chunk share a seed. Their outcome is put into `done`."""

    variant: _Variant
    trainings: list[Training]
    programs: LossProgram
    done: "queue.SimpleQueue[_Outcome]"


#: A block, and the results of its trainings or the error that ended them.
_Outcome = tuple[_Block, TrainResult | BaseException]


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
        self.conv_lowering = conv_lowering
        self.task = TASKS[dataset.task]
        self._network = network
        self._dataset = dataset
        self._given_chunk_size = chunk_size
        self._variants: dict[TrainingConfig, _Variant] = {}
        self._computations: dict[TrainingConfig, str] = {}
        self._data: dict[str, list[Any]] = {}
        self._programs = PoolPrograms(self.task.domain, operators)
        self._lock = threading.Lock()
        self._queued: deque[_Block] = deque()
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
        # Measured splits, steps and evaluations on the way are no part of it: search and comparison share what takes a
        # second to trace. But a schedule ends with the steps.
        num_steps = 1 if config.decay_every_epochs is None else config.num_steps
        whole = replace(config, learning_rate=1.0, splits=("validation",), evaluate_every=None, patience=None)
        traced = replace(whole, num_steps=num_steps)
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
        """Return the number of trainings of one seed for which devices are free: a chunk for each device."""
        idle = max(0, len(self.devices) - self._num_in_progress)
        return idle * self._variant(config).chunk_size.find(self._programs.capacity) if idle else 0

    def submit(self, config: TrainingConfig, trainings: Sequence[Training]) -> None:
        """Queue trainings."""
        variant = self._variant(config)
        self._programs.take_in({training.tree for training in trainings})
        blocks = [self._block(variant, share) for share in self._cut(variant, trainings)]
        self._num_in_progress += len(blocks)
        with self._lock:
            self._queued += blocks
            for index in range(len(self.devices)):
                if index not in self._threads:
                    self._threads[index] = threading.Thread(target=self._work, args=(index,), daemon=True)
                    self._threads[index].start()

    def wait(self) -> list[Trained]:
        """Wait for the results of a block; raise the error that ended it."""
        return self._receive(*self._done.get())

    def cancel(self) -> list[Trained]:
        """Drop queued blocks, wait for those in progress, and return their results, without errors of devices."""
        with self._lock:
            self._queued.clear()
            threads = list(self._threads.values())
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        trained: list[Trained] = []
        while not self._done.empty():
            block, results = self._done.get()
            if not isinstance(results, BaseException):
                trained += self._receive(block, results)
        self._forget_progress()
        return trained

    def _forget_progress(self) -> None:
        """Forget the blocks in progress, whose outcomes go into a queue that is no longer read."""
        self._num_in_progress = 0
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()

    def _receive(self, block: _Block, results: TrainResult | BaseException) -> list[Trained]:
        self._num_in_progress -= 1
        if isinstance(results, BaseException):
            raise results
        rows = [jax.tree.map(lambda array, row=row: array[row], results) for row in range(len(block.trainings))]
        return list(zip(block.trainings, rows, strict=True))

    def _work(self, index: int) -> None:
        """Train blocks on a device until none is queued."""
        device = self.devices[index]
        while True:
            with self._lock:
                if not self._queued:
                    del self._threads[index]
                    return
                block = self._queued.popleft()
            train_block = partial(_train_block, device, block.variant.replicas[index], block.trainings, block.programs)
            try:
                block.done.put((block, block.variant.chunk_size.halved_until_it_fits(device, train_block)))
            except BaseException as error:
                block.done.put((block, error))

    def _cut(self, variant: _Variant, trainings: Sequence[Training]) -> list[list[Training]]:
        """Cut trainings into blocks: single ones, or each device's share of the chunks with the same seed."""
        chunk_size = variant.chunk_size.find(self._programs.capacity)
        if chunk_size == 1:
            return [[training] for training in trainings]
        by_seed: dict[int, list[Training]] = {}
        for training in trainings:
            by_seed.setdefault(training.seed, []).append(training)
        return [share for group in by_seed.values() for share in _shares(group, chunk_size, len(self.devices))]

    def _block(self, variant: _Variant, trainings: list[Training]) -> _Block:
        programs = self._programs.make([training.tree for training in trainings])
        return _Block(variant, trainings, programs, self._done)

    def _variant(self, config: TrainingConfig) -> _Variant:
        # The rate comes with each training: configurations that differ in it alone share a compiled program.
        config = replace(config, learning_rate=1.0)
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
                self.conv_lowering = fastest_lowering(replicas[0], self.devices[0])
                replicas = [replace(replica, conv_lowering=self.conv_lowering) for replica in replicas]
            chunk_size = ChunkSize(replicas[0], self.devices[0], self._given_chunk_size)
            self._variants[config] = _Variant(replicas, chunk_size)
        return self._variants[config]


def _shares(trainings: list[Training], chunk_size: int, num_devices: int) -> list[list[Training]]:
    """Return whole chunks for each device; only the last chunk may be smaller."""
    starts = np.arange(0, len(trainings), chunk_size)
    bounds = [int(share[0]) for share in np.array_split(starts, min(len(starts), num_devices))]
    return [trainings[start:stop] for start, stop in zip(bounds, [*bounds[1:], len(trainings)], strict=True)]


@jax.transfer_guard("allow")  # also in a thread
def _train_block(
    device: jax.Device, train: Train, trainings: Sequence[Training], programs: LossProgram, chunk_size: int
) -> TrainResult:
    """Train candidates that share a seed; return their results [k] as NumPy arrays."""
    rates = np.array([training.learning_rate for training in trainings], np.float32)
    with jax.default_device(device):
        key = jax.random.key(trainings[0].seed)
        if chunk_size > 1:
            return train_in_segments(train, programs, key, rates, chunk_size)
        programs, key, rates = jax.device_put((programs, key, rates), device)
        result: TrainResult = jax.tree.map(np.asarray, _train_one_by_one(train, programs, key, rates))
        return result


# A CPU device is one core: XLA must not order operations for concurrency.
@partial(jax.jit, compiler_options={"xla_cpu_enable_concurrency_optimized_scheduler": False})
def _train_one_by_one(train: Train, programs: LossProgram, key: jax.Array, rates: jax.Array) -> TrainResult:
    return train_population(train, programs, key, rates)
