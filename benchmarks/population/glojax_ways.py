"""glojax: populations of different losses in one compiled program."""

from dataclasses import replace

import jax

from benchmarks.contestant import Contestant, Work
from benchmarks.population.jax_devices import peak_bytes, take_devices
from benchmarks.workloads import CAPACITY, WORKLOADS, loss_trees, random_dataset
from glojax.evaluation import Candidates, DevicePool, training_devices
from glojax.losses import LossProgram
from glojax.training import Train, TrainResult, make_train, train_population


def device_pool(network: str, population: int, devices: int, steps: int) -> Contestant:
    """The whole population from fresh parameters, by as many devices as take candidates from one queue."""
    pool = DevicePool(_train(network, steps), training_devices(devices))
    candidates = Candidates.over_seeds(loss_trees(population), [0], CAPACITY)
    return Contestant(lambda: _work(pool.run_all(candidates), population * steps), peak_bytes)


def shard_map(network: str, population: int, devices: int, steps: int) -> Contestant:
    """The same in one program over a mesh, where every device has an equal share."""
    local_devices = take_devices(devices)
    mesh = jax.make_mesh((devices,), ("population",), devices=local_devices)
    train = _train(network, steps)
    programs = LossProgram.from_trees(loss_trees(population), CAPACITY)
    keys = jax.vmap(jax.random.key)(jax.numpy.zeros(population, int))
    # One after the other on a CPU, a device's whole share at once elsewhere.
    chunk_size = 1 if local_devices[0].platform == "cpu" else -(-population // devices)

    def turn() -> Work:
        result = train_population(train, programs, keys, chunk_size=chunk_size, mesh=mesh)
        return _work(jax.block_until_ready(result), population * steps)

    return Contestant(turn, peak_bytes)


def _train(network: str, steps: int) -> Train:
    workload = WORKLOADS[network]
    dataset = random_dataset(workload.image_shape)
    return make_train(workload.network, dataset, replace(workload.config, num_steps=steps))


def _work(result: TrainResult, expected_steps: int) -> Work:
    num_steps = int(result.num_steps.sum())
    if num_steps != expected_steps:
        raise RuntimeError(f"trainings took {num_steps} steps together, not {expected_steps}: some have ended early")
    return Work(num_steps)
