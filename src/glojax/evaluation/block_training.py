"""The training of a block: one candidate on a CPU, elsewhere as many as a device has to do."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import numpy as np

from glojax.evaluation.pool import Training
from glojax.losses import LossProgram
from glojax.training import Train, TrainResult, train_in_segments, train_population

#: Takes the numbers [k] of trainings of a block that have ended, and their results [k], of NumPy arrays.
Deliver = Callable[[Sequence[int] | np.ndarray, TrainResult], None]


@jax.transfer_guard("allow")  # also in a thread
def train_block(
    device: jax.Device,
    train: Train,
    trainings: Sequence[Training],
    num_steps: np.ndarray,
    programs: LossProgram,
    chunk_size: int,
    deliver: Deliver,
) -> None:
    """Train candidates, and deliver the numbers of those that have ended with their results, of NumPy arrays."""
    rates = np.array([training.learning_rate for training in trainings], np.float32)
    with jax.default_device(device):
        seeds = [training.seed for training in trainings]
        # On a CPU, whose trainings are compiled with their number of steps, without a vmap.
        if chunk_size > 1 or (num_steps != train.config.num_steps).any():
            keys = jax.random.key(seeds[0]) if train.shares_batches else keys_of(seeds)
            train_in_segments(train, programs, keys, rates, chunk_size, num_steps=num_steps, on_results=deliver)
            return
        programs, key, rates = jax.device_put((programs, jax.random.key(seeds[0]), rates), device)
        result: TrainResult = jax.tree.map(np.asarray, _train_one_by_one(train, programs, key, rates))
        deliver(range(len(trainings)), result)


def keys_of(seeds: Sequence[int]) -> jax.Array:
    """Return the keys of seeds, without compiling anything for their number."""
    data = np.stack([np.asarray(jax.random.key_data(jax.random.key(seed))) for seed in seeds])
    keys: jax.Array = jax.random.wrap_key_data(jax.numpy.asarray(data))
    return keys


# A CPU device is one core: XLA must not order operations for concurrency.
@partial(jax.jit, compiler_options={"xla_cpu_enable_concurrency_optimized_scheduler": False})
def _train_one_by_one(train: Train, programs: LossProgram, key: jax.Array, rates: jax.Array) -> TrainResult:
    return train_population(train, programs, key, rates)
