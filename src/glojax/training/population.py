"""Many trainings in one compiled program."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
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

    A candidate's result depends on its program, key and learning rate alone, not on its index, up to rounding where
    `chunk_size` is above 1.

    Args:
        train: The training that `make_train` returns.
        programs: P stacked programs; see `LossProgram.from_trees`.
        keys: [P] typed JAX keys (`jax.random.key`), or one for all candidates. Equal keys give equal initial networks,
            batches and dropout. With one key a chunk draws them once, and its first layer is one convolution.
        learning_rates: [P] float32; None for the configuration's.
        chunk_size: Candidates that a device trains at once (`vmap`), one chunk after the other. 1 is best on a CPU.
        mesh: A mesh with an axis "population", over whose devices `shard_map` spreads the candidates; None for the
            device of the data.

    Returns:
        Results with a leading axis [P].

    Raises:
        ConfigurationError: `chunk_size` is below 1, keys are not typed, the numbers of programs, keys and rates differ,
            or the mesh lacks its axis.

    Example:
        >>> from glojax.datasets import load_dataset
        >>> from glojax.losses import CATALOG
        >>> from glojax.networks import DigitsCNN
        >>> from glojax.training import TrainingConfig, make_train
        >>> config = TrainingConfig(num_steps=2, batch_size=32, learning_rate=0.01)
        >>> train = make_train(DigitsCNN, load_dataset("digits"), config)
        >>> programs = LossProgram.from_trees(list(CATALOG.values()), capacity=8)
        >>> train_population(train, programs, jax.random.key(0)).num_steps.tolist()
        [2, 2, 2]
    """
    P = programs.length.size
    if chunk_size < 1:
        raise ConfigurationError(f"chunk_size is {chunk_size}; expected a whole number of at least 1.")
    if learning_rates is None:
        learning_rates = np.full(P, train.config.learning_rate, np.float32)
    learning_rates = jnp.asarray(learning_rates, jnp.float32)
    if not (isinstance(keys, jax.Array) and jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)):
        raise ConfigurationError(
            f"keys are of type {getattr(keys, 'dtype', type(keys).__name__)}; expected typed keys: one of "
            "jax.random.key(0), which older PRNGKey is not, or several by jax.random.split."
        )
    if programs.length.shape != (P,) or keys.shape not in {(), (P,)} or learning_rates.shape != (P,):
        raise ConfigurationError(
            f"Got keys of shape {keys.shape}, programs of shape {programs.length.shape} and learning rates of shape "
            f"{learning_rates.shape}; expected as many of each, in one dimension (LossProgram.from_trees), or one key."
        )
    results: TrainResult
    if mesh is None:
        results = _map_population(train, (programs, learning_rates), keys, chunk_size)
        return results
    if POPULATION_AXIS not in mesh.axis_names:
        raise ConfigurationError(f"The mesh has axes {mesh.axis_names}; expected one named {POPULATION_AXIS!r}.")
    # Without axis types: JAX inserts no sharding of its own, whatever the axis types of the given mesh.
    mesh = Mesh(mesh.devices, mesh.axis_names)
    # Every device takes an equal share: the last candidate is repeated, and its repetitions are dropped afterwards.
    share = -(-P // mesh.shape[POPULATION_AXIS]) * mesh.shape[POPULATION_AXIS]
    indices = np.minimum(np.arange(share), P - 1)
    programs, learning_rates = jax.tree.map(lambda array: array[indices], (programs, learning_rates))
    split, replicated = NamedSharding(mesh, PartitionSpec(POPULATION_AXIS)), NamedSharding(mesh, PartitionSpec())
    keys = jax.device_put(keys[indices], split) if keys.ndim else jax.device_put(keys, replicated)
    candidates = jax.device_put((programs, learning_rates), split)
    padded = _shard_population(jax.device_put(train, replicated), candidates, keys, chunk_size, mesh)
    results = jax.tree.map(lambda array: array[:P], padded)
    return results


@partial(jax.jit, static_argnames="chunk_size")
def _map_population(
    train: Train, candidates: tuple[LossProgram, jax.Array], keys: jax.Array, chunk_size: int
) -> TrainResult:
    if keys.ndim:
        return _map(
            lambda programs, rates, keys: _train_chunk(train, programs, rates, keys), (*candidates, keys), chunk_size
        )
    return _map(lambda programs, rates: _train_chunk(train, programs, rates, keys), candidates, chunk_size)


@partial(jax.jit, static_argnames=("chunk_size", "mesh"))
def _shard_population(
    train: Train, candidates: tuple[LossProgram, jax.Array], keys: jax.Array, chunk_size: int, mesh: Mesh
) -> TrainResult:
    share = PartitionSpec(POPULATION_AXIS)
    mapped = jax.shard_map(
        partial(_map_population, chunk_size=chunk_size),
        mesh=mesh,
        in_specs=(PartitionSpec(), share, share if keys.ndim else PartitionSpec()),
        out_specs=share,
        check_vma=False,
    )
    results: TrainResult = mapped(train, candidates, keys)
    return results


def _train_chunk(train: Train, programs: LossProgram, rates: jax.Array, keys: jax.Array) -> TrainResult:
    """Train one candidate, or K of them in step."""
    if not programs.length.ndim:
        # A chunk of one would be slower: under a vmap every operator of every program runs.
        return train(programs, keys, rates)
    state = train.begin(keys)
    if not keys.ndim:
        state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*rates.shape, *leaf.shape)), state)
    return train.finish(train.advance(state, programs, keys, rates, 0, train.config.num_steps))


def _map(function: Callable[..., TrainResult], candidates: tuple[Any, ...], chunk_size: int) -> TrainResult:
    """Apply the function to each chunk of candidates [P, ...], or to each candidate if chunks are of one."""
    results: TrainResult
    if chunk_size == 1:
        results = lax.map(lambda candidate: function(*candidate), candidates)
        return results
    P = jax.tree.leaves(candidates)[0].shape[0]
    indices = np.minimum(np.arange(-(-P // chunk_size) * chunk_size), P - 1).reshape(-1, chunk_size)
    chunks = _map(function, jax.tree.map(lambda array: array[indices], candidates), 1)
    results = jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:])[:P], chunks)
    return results
