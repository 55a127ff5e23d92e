"""Trainings of any losses, seeds and learning rates, side by side over all local devices, and measured on the way.

Each device takes the next training whenever it is free, and drives it from one measurement to the next: one at a time,
as on a CPU is fastest. A training that is stopped is saved, and goes on later with the same result, bit for bit.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from rich.console import Console

from experiments import checkpoints
from experiments.checkpoints import Progress
from experiments.progress import TrainingsDisplay
from experiments.records import Records, training_record
from experiments.trainings import Training
from glojax.datasets import Dataset, load_dataset
from glojax.losses import LossProgram
from glojax.training import Train, TrainResult, TrainState

#: A device is asked how it gets on about this often, and may be stopped as often.
SEGMENT_SECONDS = 5.0

#: How much time a training may lose when the process is killed.
CHECKPOINT_SECONDS = 120.0

#: Bins of a histogram, evenly spaced in [0, 1].
NUM_BINS = 100

#: Nodes that a program holds; room in it costs nothing, and one capacity for all is one compilation.
_CAPACITY = 64


class _Ended(NamedTuple):
    """A training that came to its end."""

    training: Training
    dataset: Dataset
    progress: Progress
    checkpoint: Path


def train_all(
    trainings: Sequence[Training],
    records: Records,
    data_dir: Path | None,
    devices: Sequence[jax.Device],
    console: Console,
) -> None:
    """Do trainings, and write a record of each as soon as it has ended.

    Args:
        trainings: What to do: short ones first, and those together that share data and compiled program.
        records: Where records go.
        data_dir: Folder with the data set's files; None for the cache.
        devices: Each does one training at a time.
        console: Where progress is shown.

    Raises:
        KeyboardInterrupt: The user stopped it; what was going on is saved.
        GlojaxError: Data or configuration do not go together.
    """
    populations = _Populations(data_dir)
    # Mistakes come out before hours of work.
    for training in trainings:
        populations.find(training)
    todo: queue.SimpleQueue[Training] = queue.SimpleQueue()
    for training in sorted(trainings, key=lambda training: (training.steps, repr(_population(training)))):
        todo.put(training)
    ended: queue.SimpleQueue[_Ended | BaseException] = queue.SimpleQueue()
    stop = threading.Event()

    def work(device: jax.Device) -> None:
        replica: tuple[Train, Train] | None = None
        try:
            while not stop.is_set():
                training = todo.get_nowait()
                dataset, train = populations.find(training)
                if replica is None or replica[0] is not train:
                    replica = train, jax.device_put(train, device)
                path = checkpoints.checkpoint_path(training, dataset.fingerprint)
                with jax.default_device(device):
                    progress = _train(training, replica[1], device, path, stop, display.on_steps)
                if progress is not None:
                    ended.put(_Ended(training, dataset, progress, path))
        except queue.Empty:
            pass
        except BaseException as error:
            ended.put(error)

    with TrainingsDisplay(console, len(trainings), sum(training.steps for training in trainings)) as display:
        threads = [threading.Thread(target=work, args=(device,), daemon=True) for device in devices]
        try:
            for thread in threads:
                thread.start()
            for _ in trainings:
                one = ended.get()
                if isinstance(one, BaseException):
                    raise one
                _record(one, records)
                display.on_training(_in_words(one))
        finally:
            stop.set()
            # They save what they were at; one may not even have begun, another have come to its end just now.
            for thread in threads:
                if thread.is_alive():
                    thread.join()
            while not ended.empty():
                if isinstance(one := ended.get(), _Ended):
                    _record(one, records)


class _Populations:
    """Data and trainer of each population, made when they are first asked for."""

    def __init__(self, data_dir: Path | None):
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._whole: dict[tuple[str, str], Dataset] = {}
        self._known: dict[tuple[Any, ...], tuple[Dataset, Train]] = {}

    def find(self, training: Training) -> tuple[Dataset, Train]:
        """What a training is done with."""
        with self._lock:
            key = _population(training)
            if key not in self._known:
                source = training.dataset, training.test_split
                if source not in self._whole:
                    self._whole[source] = load_dataset(source[0], self._data_dir, test_split=training.test_split)
                dataset = self._whole[source]
                if training.train_fraction != 1:
                    dataset = dataset.with_train_fraction(training.train_fraction, training.seed)
                self._known[key] = dataset, training.make_train(dataset)
            return self._known[key]


def _population(training: Training) -> tuple[Any, ...]:
    """Trainings for which this is equal differ in loss, seed, learning rate and schedule only."""
    subset = None if training.train_fraction == 1 else (training.train_fraction, training.seed)
    return training.dataset, training.test_split, subset, training.class_reduction


def _train(
    training: Training,
    train: Train,
    device: jax.Device,
    path: Path,
    stop: threading.Event,
    on_steps: Callable[..., None],
) -> Progress | None:
    """Take a training to its end, or until it is stopped: then it is saved, and None comes back."""
    begun = time.perf_counter()
    program, key, rate = jax.device_put(
        (
            LossProgram.from_tree(training.tree, max(_CAPACITY, training.tree.size)),
            jax.random.key(training.seed),
            np.float32(training.learning_rate),
        ),
        device,
    )
    state, progress = checkpoints.restore(path, train, key, device) or (_begin(train, key), Progress())
    on_steps(progress.step, now=False)
    before, saved, segment = progress.seconds, begun, 1
    while progress.step < training.steps:
        start = time.perf_counter()
        last = min(progress.step + segment, next(stop for stop in training.stops if stop > progress.step))
        state = jax.block_until_ready(_advance(train, state, program, key, rate, progress.step, last))
        on_steps(last - progress.step)
        progress.step = last
        now = time.perf_counter()
        if now - start < SEGMENT_SECONDS / 2:
            segment *= 2
        if last in training.stops:
            _measure(training, train, state, progress)
        progress.seconds = before + time.perf_counter() - begun
        stopped = stop.is_set() and progress.step < training.steps
        if stopped or now - saved > CHECKPOINT_SECONDS:
            checkpoints.save(path, state, progress)
            saved = now
        if stopped:
            return None
    return progress


def _measure(training: Training, train: Train, state: TrainState, progress: Progress) -> None:
    """Add what is asked for after this step to the outcome."""
    outcome = progress.outcome
    if progress.step in training.evaluated_steps:
        result = jax.device_get(_finish(train, state))
        outcome["steps"].append(progress.step)
        for split, accuracy in result.accuracy.items():
            # float32 to six decimals, finer than any split's resolution.
            outcome[split].append(round(float(accuracy), 6))
        outcome["finite"], outcome["num_steps"] = bool(result.finite), int(result.num_steps)
    if progress.step == training.histogram_at:
        probs = np.asarray(_predict(train, state))
        counts, _ = np.histogram(probs, bins=NUM_BINS, range=(0, 1))
        outcome["histogram"] = {"step": progress.step, "counts": counts.tolist()}


def _record(one: _Ended, records: Records) -> None:
    record = training_record(one.training, one.dataset, one.progress.outcome, one.progress.seconds)
    records.write_training(one.training, record)
    checkpoints.remove(one.checkpoint)


def _in_words(one: _Ended) -> str:
    outcome = one.progress.outcome
    accuracies = f"validation {outcome['validation'][-1]:.4f}, test {outcome['test'][-1]:.4f}"
    dead = "" if outcome["finite"] else f", not finite after {outcome['num_steps']} steps"
    return f"{one.training.dataset} {one.training.name}: {accuracies}{dead}, {one.progress.seconds:.0f} s"


@jax.jit
def _begin(train: Train, key: jax.Array) -> TrainState:
    return train.begin(key)


# A device of a CPU is a core, as in the device pool: XLA is not to order operations so that some could run at once.
@partial(
    jax.jit,
    donate_argnames="state",
    compiler_options={"xla_cpu_enable_concurrency_optimized_scheduler": False},
)
def _advance(
    train: Train,
    state: TrainState,
    program: LossProgram,
    key: jax.Array,
    rate: jax.Array,
    start: int,
    stop: int,
) -> TrainState:
    return train.advance(state, program, key, rate, start, stop)


@jax.jit
def _finish(train: Train, state: TrainState) -> TrainResult:
    return train.finish(state)


@jax.jit
def _predict(train: Train, state: TrainState) -> jax.Array:
    return train.predict(state, "test")
