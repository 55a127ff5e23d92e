"""Many trainings in one compiled program."""

from functools import partial

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from glojax.errors import ConfigurationError
from glojax.losses import LossProgram
from glojax.training.train import Train, TrainResult

POPULATION_AXIS = "population"


def train_population(
    train: Train,
    programs: LossProgram,
    keys: jax.Array,
    learning_rates: jax.Array | np.ndarray | None = None,
    *,
    chunk_size: int = 1,
    mesh: Mesh | None = None,
) -> TrainResult:
    """Train P candidates.

    What comes of a candidate depends on its program, key and learning rate alone, never on its place, up to rounding
    where `chunk_size` is above 1.

    Args:
        train: What `make_train` gives.
        programs: P stacked programs; see `LossProgram.from_trees`.
        keys: [P] typed JAX keys. Equal keys give equal initial networks, batches and dropout.
        learning_rates: [P] float32; None for the configuration's.
        chunk_size: How many candidates a device trains at once (`vmap`), one chunk after the other. 1 is best on a CPU.
        mesh: A mesh with an axis "population" over whose devices the candidates are spread by `shard_map`; None for the
            device that the data is on.

    Returns:
        Results with a leading axis [P].

    Raises:
        ConfigurationError: `chunk_size` is below 1, the numbers of programs, keys and rates differ, or the mesh lacks
            its axis.

    Example:
        >>> from glojax.datasets import load_dataset
        >>> from glojax.losses import CATALOG
        >>> from glojax.networks import DigitsCNN
        >>> from glojax.training import TrainingConfig, make_train
        >>> config = TrainingConfig(num_steps=2, batch_size=32, learning_rate=0.01)
        >>> train = make_train(DigitsCNN, load_dataset("digits"), config)
        >>> programs = LossProgram.from_trees(list(CATALOG.values()), capacity=8)
        >>> train_population(train, programs, jax.random.split(jax.random.key(0), 3)).num_steps.tolist()
        [2, 2, 2]
    """
    P = keys.shape[0]
    if chunk_size < 1:
        raise ConfigurationError(f"chunk_size is {chunk_size}; expected a whole number of at least 1.")
    if programs.length.shape != (P,) or (learning_rates is not None and learning_rates.shape != (P,)):
        raise ConfigurationError(
            f"Got {P} keys, programs of shape {programs.length.shape} and learning rates of shape "
            f"{None if learning_rates is None else learning_rates.shape}; expected as many of each."
        )
    results: TrainResult
    if mesh is None:
        results = _map_population(train, programs, keys, learning_rates, chunk_size)
        return results
    if POPULATION_AXIS not in mesh.axis_names:
        raise ConfigurationError(f"The mesh has axes {mesh.axis_names}; expected one named {POPULATION_AXIS!r}.")
    # Inside, JAX shall place nothing by itself, whatever the axis types of the given mesh.
    mesh = Mesh(mesh.devices, mesh.axis_names)
    # Every device takes an equal share: repeat the last candidate to fill up, and drop the repetitions afterwards.
    share = -(-P // mesh.shape[POPULATION_AXIS]) * mesh.shape[POPULATION_AXIS]
    places = np.minimum(np.arange(share), P - 1)
    candidates = jax.tree.map(lambda array: array[places], (programs, keys, learning_rates))
    candidates = jax.device_put(candidates, NamedSharding(mesh, PartitionSpec(POPULATION_AXIS)))
    replicated = jax.device_put(train, NamedSharding(mesh, PartitionSpec()))
    filled_up = _shard_population(replicated, *candidates, chunk_size, mesh)
    results = jax.tree.map(lambda array: array[:P], filled_up)
    return results


@partial(jax.jit, static_argnames="chunk_size")
def _map_population(
    train: Train, programs: LossProgram, keys: jax.Array, learning_rates: jax.Array | None, chunk_size: int
) -> TrainResult:
    # A mapped chunk of one would still be a vmap, under which every operator of every program runs.
    batch_size = None if chunk_size == 1 else chunk_size
    candidates = (programs, keys, learning_rates)
    results: TrainResult = lax.map(lambda candidate: train(*candidate), candidates, batch_size=batch_size)
    return results


@partial(jax.jit, static_argnames=("chunk_size", "mesh"))
def _shard_population(
    train: Train, programs: LossProgram, keys: jax.Array, learning_rates: jax.Array | None, chunk_size: int, mesh: Mesh
) -> TrainResult:
    share = PartitionSpec(POPULATION_AXIS)
    mapped = jax.shard_map(
        partial(_map_population, chunk_size=chunk_size),
        mesh=mesh,
        in_specs=(PartitionSpec(), share, share, share),
        out_specs=share,
        check_vma=False,
    )
    results: TrainResult = mapped(train, programs, keys, learning_rates)
    return results
