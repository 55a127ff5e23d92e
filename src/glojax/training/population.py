"""Many trainings in one compiled program."""

from functools import partial
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from glojax.errors import ConfigurationError
from glojax.losses import LossProgram
from glojax.training.state import TrainResult
from glojax.training.train import Train
from glojax.training.trained_networks import TrainedNetworks

POPULATION_AXIS = "population"


#: Results, and params and state of the networks, or None where these are not wanted.
_Outcome = tuple[TrainResult, tuple[Any, Any] | None]


@overload
def train_population(
    train: Train,
    programs: LossProgram,
    keys: jax.Array,
    learning_rates: jax.Array | np.ndarray | None = None,
    *,
    chunk_size: int = 1,
    mesh: Mesh | None = None,
    return_networks: Literal[False] = False,
) -> TrainResult: ...


@overload
def train_population(
    train: Train,
    programs: LossProgram,
    keys: jax.Array,
    learning_rates: jax.Array | np.ndarray | None = None,
    *,
    chunk_size: int = 1,
    mesh: Mesh | None = None,
    return_networks: Literal[True],
) -> tuple[TrainResult, TrainedNetworks]: ...


@jax.transfer_guard("allow")
def train_population(
    train: Train,
    programs: LossProgram,
    keys: jax.Array,
    learning_rates: jax.Array | np.ndarray | None = None,
    *,
    chunk_size: int = 1,
    mesh: Mesh | None = None,
    return_networks: bool = False,
) -> TrainResult | tuple[TrainResult, TrainedNetworks]:
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
        return_networks: Whether the networks are returned, too; they take P times the memory of one.

    Returns:
        Results with a leading axis [P]; or a pair of them and the trained networks.

    Raises:
        ConfigurationError: `chunk_size` is below 1, keys are not typed, the numbers of programs, keys and rates differ,
            or the mesh lacks its axis.

    Examples:
        >>> from glojax.datasets import load_dataset
        >>> from glojax.losses import find_tree
        >>> from glojax.networks import DigitsCNN
        >>> from glojax.training import TrainingConfig, make_train
        >>> config = TrainingConfig(num_steps=2, batch_size=32, learning_rate=0.01)
        >>> train = make_train(DigitsCNN, load_dataset("digits"), config)
        >>> trees = [find_tree(name) for name in ("cross_entropy", "baikal", "focal")]
        >>> programs = LossProgram.from_trees(trees, capacity=8)
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
    if mesh is None:
        outcome: _Outcome = _map_population(train, (programs, learning_rates), keys, chunk_size, return_networks)
        return _returned(train, outcome)
    if POPULATION_AXIS not in mesh.axis_names:
        raise ConfigurationError(f"The mesh has axes {mesh.axis_names}; expected one named {POPULATION_AXIS!r}.")
    # Without axis types: JAX inserts no sharding of its own, whatever the axis types of the given mesh.
    mesh = Mesh(mesh.devices, mesh.axis_names)
    # Every device takes an equal share: the last candidate is repeated, and its repetitions are dropped afterwards.
    indices = _filled_up(P, mesh.shape[POPULATION_AXIS])
    candidates = jax.tree.map(lambda array: array[indices], (programs, learning_rates))
    keys = keys[indices] if keys.ndim else keys
    share, whole = PartitionSpec(POPULATION_AXIS), PartitionSpec()
    specs = (whole, share, share if keys.ndim else whole)
    shardings = tuple(NamedSharding(mesh, spec) for spec in specs)
    arguments = jax.device_put((train, candidates, keys), shardings)
    padded = _shard_population(arguments, chunk_size, return_networks, mesh, specs)
    return _returned(train, jax.tree.map(lambda array: array[:P], padded))


def _returned(train: Train, outcome: _Outcome) -> TrainResult | tuple[TrainResult, TrainedNetworks]:
    results, networks = outcome
    if networks is None:
        return results
    return results, TrainedNetworks(*networks, train.pure_network, train.config.augmentation, train.task)


@partial(jax.jit, static_argnames=("chunk_size", "return_networks", "mesh", "specs"))
def _shard_population(
    arguments: tuple[Any, ...], chunk_size: int, return_networks: bool, mesh: Mesh, specs: tuple[PartitionSpec, ...]
) -> _Outcome:
    function = partial(_map_population, chunk_size=chunk_size, return_networks=return_networks)
    sharded = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=specs[1], check_vma=False)
    outcome: _Outcome = sharded(*arguments)
    return outcome


@partial(jax.jit, static_argnames=("chunk_size", "return_networks"))
def _map_population(
    train: Train,
    candidates: tuple[LossProgram, jax.Array],
    keys: jax.Array,
    chunk_size: int,
    return_networks: bool,
) -> _Outcome:
    """Train one candidate after the other, or one chunk of them."""

    def train_chunk(chunk: tuple[LossProgram, jax.Array, jax.Array | None]) -> _Outcome:
        programs, rates, own_keys = chunk
        chunk_keys = keys if own_keys is None else own_keys
        state = train.begin(chunk_keys)
        # A chunk of one would be slower: under a vmap every operator of every program runs.
        if chunk_size > 1 and own_keys is None:
            state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (chunk_size, *leaf.shape)), state)
        state = train.advance(state, programs, chunk_keys, rates, 0, train.config.num_steps)
        return train.finish(state), (state.kept.params, state.kept.rest) if return_networks else None

    population = (*candidates, keys if keys.ndim else None)
    outcome: _Outcome
    if chunk_size == 1:
        outcome = lax.map(train_chunk, population)
        return outcome
    P = candidates[1].size
    indices = _filled_up(P, chunk_size).reshape(-1, chunk_size)
    chunks = lax.map(train_chunk, jax.tree.map(lambda array: array[indices], population))
    outcome = jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:])[:P], chunks)
    return outcome


def _filled_up(P: int, multiple: int) -> np.ndarray:
    """Return the indices below P, the last of them repeated up to a multiple."""
    return np.minimum(np.arange(-(-P // multiple) * multiple), P - 1)
