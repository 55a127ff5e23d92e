"""Trainings that are measured on the way, each on one device from one measurement to the next.

A training that is stopped is saved, and goes on later with the same result, bit for bit.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import jax
import numpy as np
from rich.console import Console

from experiments.checkpoints import Progress, checkpoint_path, restore, save
from experiments.trainings import Training
from glojax.datasets import Dataset
from glojax.losses import LossProgram
from glojax.networks import NETWORKS
from glojax.training import Train, TrainResult, TrainState, make_train
from glojax.training.config import MAX_COUNT

#: Steps after which a training may be stopped; on two CPU cores a few seconds on MNIST, half a minute on CIFAR-10.
SEGMENT_STEPS = 50

#: The time that a training loses at most when the process is killed, a segment aside.
CHECKPOINT_SECONDS = 120.0

#: Bins of a histogram, evenly spaced in [0, 1].
NUM_BINS = 100

#: Called with a training that has come to its end, its outcome, and the seconds that it took.
Record = Callable[[Training, dict[str, Any], float], None]

#: Nodes that a program holds: one capacity for all losses means one compilation.
_CAPACITY = 64


def train_curves(
    trainings: Mapping[Training, Dataset],
    devices: Sequence[jax.Device],
    record: Record,
    console: Console,
) -> None:
    """Do trainings; a device takes the next one when it is free.

    Args:
        trainings: The trainings with their data sets, in order.
        devices: Each does one training at a time.
        record: Called at the end of each training, in any thread.
        console: Shows the progress.

    Raises:
        KeyboardInterrupt: The user stopped it; the trainings in progress are saved.
    """
    idle: SimpleQueue[jax.Device] = SimpleQueue()
    for device in devices:
        idle.put(device)
    stop = threading.Event()

    def run(training: Training, dataset: Dataset) -> None:
        path = checkpoint_path(training, dataset.fingerprint)
        device = idle.get()
        try:
            with jax.default_device(device):
                progress = _train(training, dataset, device, path, stop, console)
        finally:
            idle.put(device)
        if progress.step == training.steps:
            record(training, progress.outcome, progress.seconds)
            path.unlink(missing_ok=True)

    with ThreadPoolExecutor(len(devices)) as executor:
        futures = [executor.submit(run, *each) for each in trainings.items()]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _train(
    training: Training, dataset: Dataset, device: jax.Device, path: Path, stop: threading.Event, console: Console
) -> Progress:
    """Train to the end, or until `stop` is set: then the state is saved."""
    started = saved = time.perf_counter()
    # Rate and length in the configuration would be compiled in; each training is driven with its own.
    config = replace(training.config, learning_rate=1.0, num_steps=MAX_COUNT)
    program = LossProgram.from_tree(training.tree, max(_CAPACITY, training.tree.size))
    train, program, key, rate = jax.device_put(
        (
            make_train(NETWORKS[training.network], dataset, config),
            program,
            jax.random.key(training.seed),
            np.float32(training.learning_rate),
        ),
        device,
    )
    state, progress = restore(path, train, key, device) or (_begin(train, key), Progress())
    before = progress.seconds
    while progress.step < training.steps:
        last = min(progress.step + SEGMENT_STEPS, next(step for step in training.stops if step > progress.step))
        state = jax.block_until_ready(_advance(train, state, program, key, rate, progress.step, last))
        progress.step = last
        if last in training.stops:
            _measure(training, train, state, progress)
        now = time.perf_counter()
        progress.seconds = before + now - started
        stopped = stop.is_set() and last < training.steps
        if stopped or now - saved > CHECKPOINT_SECONDS:
            save(path, state, progress)
            saved = now
            console.print(f"{training.dataset} {training.name}: saved after {last:,} steps", highlight=False)
        if stopped:
            break
    return progress


def _measure(training: Training, train: Train, state: TrainState, progress: Progress) -> None:
    """Add the measurements of this step to the outcome."""
    outcome = progress.outcome
    if progress.step in training.evaluated_steps:
        result = jax.device_get(_finish(train, state))
        outcome["steps"].append(progress.step)
        for split, score in result.scores.items():
            # float32 to six decimals, finer than any split resolves.
            outcome[split].append(round(float(score), 6))
        outcome["finite"], outcome["num_steps"] = bool(result.finite), int(result.num_steps)
    if progress.step == training.histogram_at:
        counts, _ = np.histogram(np.asarray(_predict(train, state)), bins=NUM_BINS, range=(0, 1))
        outcome["histogram"] = {"step": progress.step, "counts": counts.tolist()}


@jax.jit
def _begin(train: Train, key: jax.Array) -> TrainState:
    return train.begin(key)


# A CPU device is one core: XLA must not order operations for concurrency.
@partial(jax.jit, donate_argnames="state", compiler_options={"xla_cpu_enable_concurrency_optimized_scheduler": False})
def _advance(
    train: Train, state: TrainState, program: LossProgram, key: jax.Array, rate: jax.Array, start: int, stop: int
) -> TrainState:
    return train.advance(state, program, key, rate, start, stop)


@jax.jit
def _finish(train: Train, state: TrainState) -> TrainResult:
    return train.finish(state)


@jax.jit
def _predict(train: Train, state: TrainState) -> jax.Array:
    return train.predict(state, "test")
