"""glojax: populations of different losses in one compiled program."""

from dataclasses import replace

import jax

from benchmarks.contestant import Contestant, Work
from benchmarks.pool_training import train, trainings_of
from benchmarks.population.jax_devices import peak_bytes, take_devices
from benchmarks.workloads import CAPACITY, WORKLOADS, loss_trees, random_dataset
from glojax.evaluation import DevicePool, training_devices
from glojax.losses import LossProgram
from glojax.training import make_train, train_population


def device_pool(
    network: str,
    population: int,
    devices: int,
    steps: int,
    chunk_size: int | None = None,
    matmul_precision: str | None = None,
) -> Contestant:
    """Train the population from fresh parameters on a pool of devices.

    Args:
        network: The name of the network.
        population: Number of candidates.
        devices: Number of devices.
        steps: Steps of each candidate.
        chunk_size: Candidates that a device trains at once; None for the pool's choice.
        matmul_precision: `jax_default_matmul_precision` of this process; None for JAX's default.
    """
    # Not the context manager, which holds for one thread: the pool trains in others.
    jax.config.update("jax_default_matmul_precision", matmul_precision)
    workload = WORKLOADS[network]
    config = replace(workload.config, num_steps=steps)
    dataset = random_dataset(workload.input_shape)
    pool = DevicePool(workload.network, dataset, devices=training_devices(devices), chunk_size=chunk_size)
    trainings = trainings_of(pool, config, loss_trees(population))

    def turn() -> Work:
        num_steps = sum(int(result.num_steps) for result in train(pool, config, trainings))
        # A pool that runs out of memory goes on with smaller chunks, which would be measured under a wrong name.
        if chunk_size is not None and (fitting := pool.room(config) // devices) != chunk_size:
            raise RuntimeError(f"the memory holds {fitting} candidates at once, not {chunk_size}")
        return _work(num_steps, population * steps)

    return Contestant(turn, peak_bytes)


def shard_map(network: str, population: int, devices: int, steps: int) -> Contestant:
    """Do the same in one program over a mesh, where every device has an equal share."""
    workload = WORKLOADS[network]
    local_devices = take_devices(devices)
    mesh = jax.make_mesh((devices,), ("population",), devices=local_devices)
    config = replace(workload.config, num_steps=steps)
    train = make_train(workload.network, random_dataset(workload.input_shape), config)
    programs = LossProgram.from_trees(loss_trees(population), CAPACITY)
    keys = jax.vmap(jax.random.key)(jax.numpy.zeros(population, int))
    # One after the other on a CPU, a device's whole share at once elsewhere.
    chunk_size = 1 if local_devices[0].platform == "cpu" else -(-population // devices)

    def turn() -> Work:
        result = train_population(train, programs, keys, chunk_size=chunk_size, mesh=mesh)
        return _work(int(result.num_steps.sum()), population * steps)

    return Contestant(turn, peak_bytes)


def _work(num_steps: int, expected_steps: int) -> Work:
    if num_steps != expected_steps:
        raise RuntimeError(f"trainings took {num_steps} steps together, not {expected_steps}: some have ended early")
    return Work(num_steps)
