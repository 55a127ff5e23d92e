"""All local devices train one population: each takes the next chunk whenever it is free.

Every device runs the same single-device program, so that a candidate's result is bitwise the same with any number of
devices of one kind, and a device whose candidates die early does not wait for the others.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training import Train, TrainResult, train_population


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
        train: What `make_train` gives; its data is copied to each device.
        devices: The devices; None for all local ones.
        chunk_size: Candidates that a device trains at once; None for 1 on a CPU and 16 elsewhere.
    """

    def __init__(self, train: Train, devices: Sequence[jax.Device] | None = None, chunk_size: int | None = None):
        self.devices = list(jax.local_devices() if devices is None else devices)
        self.chunk_size = chunk_size or (1 if self.devices[0].platform == "cpu" else 16)
        self._replicas = [jax.device_put(train, device) for device in self.devices]

    def run(self, candidates: Candidates) -> Iterator[tuple[np.ndarray, TrainResult]]:
        """Train all candidates.

        Yields:
            For each chunk, in the candidates' order: the places [k] of its candidates, and their results as
            NumPy arrays with a leading axis [k].

        Raises:
            Exception: Whatever a device raises; the others stop after their running chunk.
        """
        P = len(candidates.seeds)
        chunks: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        for start in range(0, P, self.chunk_size):
            chunks.put(np.arange(start, min(start + self.chunk_size, P)))
        done: queue.SimpleQueue[tuple[np.ndarray, TrainResult] | BaseException] = queue.SimpleQueue()
        stop = threading.Event()

        def work(device: jax.Device, train: Train) -> None:
            try:
                while not stop.is_set():
                    places = chunks.get_nowait()
                    done.put((places, self._train_chunk(device, train, candidates, places)))
            except queue.Empty:
                pass
            except BaseException as error:
                done.put(error)

        for device, train in zip(self.devices, self._replicas, strict=True):
            threading.Thread(target=work, args=(device, train), daemon=True).start()
        waiting: dict[int, tuple[np.ndarray, TrainResult]] = {}
        try:
            for start in range(0, P, self.chunk_size):
                while start not in waiting:
                    outcome = done.get()
                    if isinstance(outcome, BaseException):
                        raise outcome
                    waiting[int(outcome[0][0])] = outcome
                yield waiting.pop(start)
        finally:
            stop.set()

    def run_all(self, candidates: Candidates) -> TrainResult:
        """Train all candidates and give their results in order, as NumPy arrays with a leading axis [P]."""
        chunks = [result for _, result in self.run(candidates)]
        results: TrainResult = jax.tree.map(lambda *arrays: np.concatenate(arrays), *chunks)
        return results

    def _train_chunk(self, device: jax.Device, train: Train, candidates: Candidates, places: np.ndarray) -> TrainResult:
        # A last, smaller chunk repeats its last candidate, so that all chunks run the same program.
        padded = np.minimum(places[0] + np.arange(self.chunk_size), places[-1])
        programs, seeds, rates = jax.tree.map(lambda array: array[padded], tuple(candidates))
        with jax.default_device(device):
            keys = jax.vmap(jax.random.key)(seeds)
        inputs = jax.device_put((programs, keys, rates), device)
        filled_up = train_population(train, *inputs, chunk_size=self.chunk_size)
        results: TrainResult = jax.tree.map(lambda array: np.asarray(array)[: len(places)], filled_up)
        return results
