"""Trainings that are measured on the way, each on one device from one measurement to the next.

A device trains a population of them at a time, which on a CPU is one training. A training that is stopped is saved by
itself, and goes on later with the same result: bit for bit on a CPU and, on an accelerator, up to the rounding of
another population.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from experiments.checkpoints import Progress, checkpoint_path, restore, save
from experiments.populations import Population, populations_of
from experiments.trainings import Training
from glojax.datasets import Dataset
from glojax.evaluation.block_training import keys_of
from glojax.evaluation.chunk_size import is_too_large_a_kernel
from glojax.evaluation.lowering_choice import remember_lowering
from glojax.evaluation.pool_programs import PoolPrograms
from glojax.losses import LossProgram
from glojax.training import Train, TrainResult, TrainState
from glojax.training.segments import COMPILER_OPTIONS

#: Steps after which a training may be stopped; on two CPU cores a few seconds on MNIST, half a minute on CIFAR-10.
SEGMENT_STEPS = 50

#: The same on an accelerator, where a step of a population is meant to take some milliseconds.
ACCELERATOR_SEGMENT_STEPS = 500

#: The time that a training loses at most when the process is killed, a segment aside.
CHECKPOINT_SECONDS = 120.0

#: Bins of a histogram, evenly spaced in [0, 1].
NUM_BINS = 100

#: Called with a training that has come to its end, its outcome, and its share of the seconds that it took.
Record = Callable[[Training, dict[str, Any], float], None]

_Measured = TypeVar("_Measured", TrainResult, TrainState)


def train_curves(
    trainings: Mapping[Training, Dataset],
    devices: Sequence[jax.Device],
    record: Record,
    console: Console,
) -> None:
    """Do trainings; a device takes the next population when it is free.

    Args:
        trainings: The trainings with their data sets, in order.
        devices: Each does one training at a time or, unless it is a CPU, one population.
        record: Called at the end of each training, in any thread.
        console: Shows the progress.

    Raises:
        KeyboardInterrupt: The user stopped it; the trainings in progress are saved.
    """
    idle: SimpleQueue[jax.Device] = SimpleQueue()
    for device in devices:
        idle.put(device)
    stop = threading.Event()

    def run(population: Population) -> None:
        device = idle.get()
        try:
            with jax.default_device(device):
                _train_population(population, device, record, stop, console)
        finally:
            idle.put(device)

    with ThreadPoolExecutor(len(devices)) as executor:
        futures = [executor.submit(run, population) for population in populations_of(trainings, devices)]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _train_population(
    population: Population, device: jax.Device, record: Record, stop: threading.Event, console: Console
) -> None:
    """Do the trainings of a population, at once or, where the memory is too small, in several parts."""
    left = list(population.trainings)

    def work(size: int) -> None:
        while left and not stop.is_set():
            for training, progress in _train(population, left[:size], size, device, stop, console).items():
                if progress.step == training.steps:
                    record(training, progress.outcome, progress.seconds)
                    checkpoint_path(training, population.dataset.fingerprint).unlink(missing_ok=True)
                    left.remove(training)

    try:
        population.chunk_size.halved_until_it_fits(device, work)
    except jax.errors.JaxRuntimeError as error:
        if not (is_too_large_a_kernel(error) and population.train.conv_lowering == "implicit"):
            raise
        console.print(f"{device} is too small for our kernels; the library computes convolutions.", highlight=False)
        remember_lowering(population.train, device, "grouped")
        train = replace(population.train, conv_lowering="grouped")
        _train_population(replace(population, trainings=left, train=train), device, record, stop, console)


def _train(
    population: Population,
    trainings: Sequence[Training],
    size: int,
    device: jax.Device,
    stop: threading.Event,
    console: Console,
) -> dict[Training, Progress]:
    """Train to the end, or until `stop` is set: then the states are saved.

    Of the trainings, those that were saved after as many steps as the first one are trained side by side, in a program
    compiled for `size` of them.
    """
    started = saved = time.perf_counter()
    train = jax.device_put(population.train, device)
    paths = {training: checkpoint_path(training, population.dataset.fingerprint) for training in trainings}
    states, progresses = _restored(paths, train, device)
    before = {training: progress.seconds for training, progress in progresses.items()}
    first, step = next((training, progress.step) for training, progress in progresses.items())
    # The last one fills the rows of the program.
    rows = [*progresses, *[[*progresses][-1]] * (size - len(progresses))]
    programs, keys, rates = jax.device_put(_arguments(train, rows), device)
    state = _stacked([states[training] for training in rows]) if step else _begin(train, keys)
    del states
    segment = SEGMENT_STEPS if device.platform == "cpu" else ACCELERATOR_SEGMENT_STEPS
    while step < first.steps:
        last = min(step + segment, next(each for each in first.stops if each > step))
        state = jax.block_until_ready(_advance(train, state, programs, keys, rates, step, last))
        step = last
        for progress in progresses.values():
            progress.step = step
        if step in first.stops:
            _measure(progresses, train, state)
        now = time.perf_counter()
        for training, progress in progresses.items():
            progress.seconds = before[training] + (now - started) / len(progresses)
        stopped = stop.is_set() and step < first.steps
        if stopped or now - saved > CHECKPOINT_SECONDS:
            for (training, progress), row in zip(progresses.items(), _rows(state), strict=False):
                save(paths[training], row, progress)
            saved = now
            others = f" and {len(progresses) - 1} more" if len(progresses) > 1 else ""
            console.print(f"{first.dataset} {first.name}{others}: saved after {step:,} steps", highlight=False)
        if stopped:
            break
    return progresses


def _restored(
    paths: Mapping[Training, Path], train: Train, device: jax.Device
) -> tuple[dict[Training, TrainState], dict[Training, Progress]]:
    """Return what was saved of those trainings that have come as far as the first one; no states at the beginning."""
    found = {training: restore(path, train, jax.random.key(0), device) for training, path in paths.items()}
    progresses = {training: each[1] if each else Progress() for training, each in found.items()}
    step = next(iter(progresses.values())).step
    states = {training: each[0] for training, each in found.items() if each}
    return states, {training: progress for training, progress in progresses.items() if progress.step == step}


def _arguments(train: Train, trainings: Sequence[Training]) -> tuple[LossProgram, jax.Array, np.ndarray]:
    """Return programs, keys and learning rates [K] of trainings, or those [] of a single one."""
    programs = PoolPrograms(train.task.domain)
    trees = [training.tree for training in trainings]
    programs.take_in(trees)
    rates = np.array([training.learning_rate for training in trainings], np.float32)
    arguments = programs.make(trees), keys_of([training.seed for training in trainings]), rates
    # Under a vmap every operator of every program would run.
    return arguments if len(trainings) > 1 else jax.tree.map(lambda array: array[0], arguments)


def _stacked(states: Sequence[TrainState]) -> TrainState:
    """Return the states [K] of trainings, or that [] of a single one."""
    return states[0] if len(states) == 1 else jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def _rows(values: _Measured) -> list[_Measured]:
    """Return the result or state of each training, of NumPy arrays."""
    values = jax.device_get(values)
    if not values.finite.ndim:
        return [values]
    return [jax.tree.map(itemgetter(row), values) for row in range(len(values.finite))]


def _measure(progresses: Mapping[Training, Progress], train: Train, state: TrainState) -> None:
    """Add the measurements of this step to the outcomes."""
    first, step = next((training, progress.step) for training, progress in progresses.items())
    outcomes = [progress.outcome for progress in progresses.values()]
    if step in first.evaluated_steps:
        for outcome, result in zip(outcomes, _rows(_finish(train, state)), strict=False):
            outcome["steps"].append(step)
            for split, score in result.scores.items():
                # float32 to six decimals, finer than any split resolves.
                outcome[split].append(round(float(score), 6))
            outcome["finite"], outcome["num_steps"] = bool(result.finite), int(result.num_steps)
    if step == first.histogram_at:
        predictions = np.asarray(_predict(train, state))
        for outcome, probs in zip(outcomes, predictions if state.finite.ndim else [predictions], strict=False):
            counts, _ = np.histogram(probs, bins=NUM_BINS, range=(0, 1))
            outcome["histogram"] = {"step": step, "counts": counts.tolist()}


@jax.jit
def _begin(train: Train, key: jax.Array) -> TrainState:
    return train.begin(key)


# A CPU device is one core: XLA must not order operations for concurrency.
@partial(
    jax.jit,
    donate_argnames="state",
    compiler_options={"xla_cpu_enable_concurrency_optimized_scheduler": False, **COMPILER_OPTIONS},
)
def _advance(
    train: Train, state: TrainState, program: LossProgram, key: jax.Array, rate: jax.Array, start: int, stop: int
) -> TrainState:
    return train.advance(state, program, key, rate, start, stop)


@partial(jax.jit, compiler_options=COMPILER_OPTIONS)
def _finish(train: Train, state: TrainState) -> TrainResult:
    return train.finish(state)


@partial(jax.jit, compiler_options=COMPILER_OPTIONS)
def _predict(train: Train, state: TrainState) -> jax.Array:
    return train.predict(state, "test")
