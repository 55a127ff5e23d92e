"""All local devices train one population: each takes the next block of it whenever it is free.

Every device runs the same single-device programs, on the same chunks of candidates however many devices there are. So a
candidate's result is bitwise the same with any number of devices of one kind, and a device whose candidates die early
does not wait for the others.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

import jax
import numpy as np

from glojax.evaluation.chunk_size import ChunkSize
from glojax.evaluation.devices import training_devices
from glojax.evaluation.lowering_choice import fastest_lowering
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering
from glojax.training import Train, TrainResult, train_in_segments, train_population

#: Called with the place of a candidate and its result.
OnResult = Callable[[int, TrainResult], None]

#: How long a pool that is stopped waits for what its devices are training.
GRACE_SECONDS = 9.0


class Candidates(NamedTuple):
    """P trainings to do.

    Attributes:
        programs: P stacked programs.
        seeds: [P] integers; equal seeds give equal initial networks, batches and dropout.
        learning_rates: [P] float32, or None for the configuration's.
    """

    programs: LossProgram
    seeds: np.ndarray
    learning_rates: np.ndarray | None = None

    @classmethod
    def over_seeds(
        cls,
        trees: Sequence[LossTree],
        seeds: Sequence[int],
        capacity: int,
        learning_rates: Sequence[float] | None = None,
    ) -> "Candidates":
        """Each tree with each seed: the first tree with all seeds first, P = len(trees) * len(seeds).

        Args:
            trees: Loss functions of at most `capacity` nodes.
            seeds: Seeds.
            capacity: Nodes that a program holds.
            learning_rates: One for each tree; None for the configuration's.
        """
        programs = LossProgram.from_trees([tree for tree in trees for _ in seeds], capacity)
        rates = None if learning_rates is None else np.repeat(np.array(learning_rates, np.float32), len(seeds))
        return cls(programs, np.tile(np.asarray(seeds), len(trees)), rates)


class DevicePool:
    """Trains populations on several devices.

    Args:
        train: What `make_train` gives; its data is copied to each device. Where it leaves the convolution lowering
            open, the fastest is found on the first device.
        devices: The devices; None for what `training_devices` gives.
        chunk_size: Candidates that a device trains at once; None for 1 on a CPU, and elsewhere for 16 or what its
            memory holds. Halved where a device runs out of memory.
    """

    def __init__(self, train: Train, devices: Sequence[jax.Device] | None = None, chunk_size: int | None = None):
        self.devices = list(training_devices() if devices is None else devices)
        self._replicas = [jax.device_put(train, device) for device in self.devices]
        if train.conv_lowering is None:
            lowering = fastest_lowering(self._replicas[0], self.devices[0])
            self._replicas = [replace(replica, conv_lowering=lowering) for replica in self._replicas]
        self._chunk_size = ChunkSize(self._replicas[0], self.devices[0], chunk_size)

    @property
    def conv_lowering(self) -> ConvolutionLowering:
        """How convolutions are computed."""
        lowering: ConvolutionLowering | None = self._replicas[0].conv_lowering
        assert lowering is not None
        return lowering

    def crew(self, on_result: OnResult) -> "Crew":
        """The devices at work, for as long as a `with` statement.

        Args:
            on_result: Called with the place and the result of each candidate as soon as it is known, from the thread
                that waits for results.
        """
        return Crew(self._replicas, self.devices, self._chunk_size, on_result)

    def run(self, candidates: Candidates) -> Generator[tuple[int, TrainResult]]:
        """Train all candidates.

        Args:
            candidates: What to train.

        Yields:
            Each candidate's place and result, of NumPy scalars, in the candidates' order.

        Raises:
            GlojaxError: A device has no memory for a single candidate.
            Exception: Whatever else a device raises; the others stop after their running block.
        """
        waiting: dict[int, TrainResult] = {}
        with self.crew(waiting.__setitem__) as crew:
            crew.add(candidates)
            for place in range(len(candidates.seeds)):
                while place not in waiting:
                    crew.wait()
                yield place, waiting.pop(place)

    def run_all(self, candidates: Candidates) -> TrainResult:
        """Train all candidates and give their results in order, as NumPy arrays with a leading axis [P]."""
        rows = [result for _, result in self.run(candidates)]
        results: TrainResult = jax.tree.map(lambda *scalars: np.stack(scalars), *rows)
        return results


class _Block(NamedTuple):
    """What a device takes at a time: some of the candidates that were added together, the first of them as `start`."""

    candidates: Candidates
    places: np.ndarray
    start: int


class Crew:
    """Devices that train what is added: each takes the next block whenever it is free.

    Used in a `with` statement, whose end waits for the blocks that are being trained, but no longer than
    `GRACE_SECONDS`, and drops the others. `DevicePool.crew` makes one.
    """

    def __init__(
        self, replicas: Sequence[Train], devices: Sequence[jax.Device], chunk_size: ChunkSize, on_result: OnResult
    ):
        self._chunk_size = chunk_size
        self._on_result = on_result
        self._num_candidates = self._num_blocks = 0
        self._blocks: queue.SimpleQueue[_Block | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[_Block, TrainResult] | BaseException] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(device, train), daemon=True)
            for device, train in zip(devices, replicas, strict=True)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        for _ in self._threads:
            self._blocks.put(None)
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(queue.Empty):
            while True:
                self._receive(self._done.get_nowait())

    def add(self, candidates: Candidates) -> None:
        """Train candidates, too; their places are counted on from those that were added before.

        Raises:
            GlojaxError: The first device has no memory for a single candidate.
        """
        for places in self._cut(candidates):
            self._blocks.put(_Block(candidates, places, self._num_candidates))
            self._num_blocks += 1
        self._num_candidates += len(candidates.seeds)

    def room(self, capacity: int) -> int:
        """Candidates of one seed for which devices are free: a chunk for each, of programs of this capacity.

        Raises:
            GlojaxError: The first device has no memory for a single candidate.
        """
        return max(0, len(self._threads) - self._num_blocks) * self._chunk_size.find(capacity)

    def wait(self) -> None:
        """Wait for a block, one at least being in progress, and hand over its results.

        Raises:
            GlojaxError: A device has no memory for a single candidate.
            Exception: Whatever else a device raises.
        """
        self._receive(self._done.get())

    def _receive(self, outcome: tuple[_Block, TrainResult] | BaseException) -> None:
        if isinstance(outcome, BaseException):
            raise outcome
        block, results = outcome
        self._num_blocks -= 1
        for row, place in enumerate(block.places.tolist()):
            self._on_result(block.start + place, jax.tree.map(lambda array, row=row: array[row], results))

    def _work(self, device: jax.Device, train: Train) -> None:
        try:
            while (block := self._blocks.get()) is not None and not self._stop.is_set():
                train_block = partial(_trained, device, train, block.candidates, block.places)
                self._done.put((block, self._chunk_size.halved_until_it_fits(device, train_block)))
        except BaseException as error:
            self._done.put(error)

    def _cut(self, candidates: Candidates) -> list[np.ndarray]:
        """The places of what a device takes at a time: a candidate, or its share of the chunks with the same seed."""
        chunk_size = self._chunk_size.find(candidates.programs.opcodes.shape[-1])
        if chunk_size == 1:
            return list(np.arange(len(candidates.seeds)).reshape(-1, 1))
        groups = [np.flatnonzero(candidates.seeds == seed) for seed in dict.fromkeys(candidates.seeds.tolist())]
        return [share for group in groups for share in _shares(group, chunk_size, len(self._threads))]


def _shares(places: np.ndarray, chunk_size: int, num_devices: int) -> list[np.ndarray]:
    """Whole chunks for each device, of which only the last may be smaller."""
    starts = np.arange(0, len(places), chunk_size)
    _, *others = np.array_split(starts, min(len(starts), num_devices))
    return np.split(places, [share[0] for share in others])


def _trained(
    device: jax.Device, train: Train, candidates: Candidates, places: np.ndarray, chunk_size: int
) -> TrainResult:
    """Results [k] of the candidates at these places, which have one seed, as NumPy arrays."""
    programs = jax.tree.map(lambda array: array[places], candidates.programs)
    rates = candidates.learning_rates
    rates = np.full(len(places), train.config.learning_rate, np.float32) if rates is None else rates[places]
    with jax.default_device(device):
        key = jax.random.key(candidates.seeds[places[0]])
        if chunk_size > 1:
            return train_in_segments(train, programs, key, rates, chunk_size)
        programs, key, rates = jax.device_put((programs, key, rates), device)
        result: TrainResult = jax.tree.map(np.asarray, _train_one_by_one(train, programs, key, rates))
        return result


# A device of a CPU is a core: XLA is not to put operations in an order in which some could run at the same time.
@partial(jax.jit, compiler_options={"xla_cpu_enable_concurrency_optimized_scheduler": False})
def _train_one_by_one(train: Train, programs: LossProgram, key: jax.Array, rates: jax.Array) -> TrainResult:
    return train_population(train, programs, key, rates)
