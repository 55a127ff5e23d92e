"""Candidates that a device trains several at once, in segments between which the dead leave and the living are packed.

A chunk of candidates takes as long as its longest-lived one. So a training is cut into segments, short ones first, as
most deaths come early; after each, what still lives moves together into as few chunks as hold it.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training.train import Train, TrainResult, TrainState

#: Steps before the first look at who is alive; the next looks come after twice as many, four times, and so on.
FIRST_SEGMENT = 16


def train_in_segments(
    train: Train, programs: LossProgram, key: jax.Array, learning_rates: np.ndarray, chunk_size: int
) -> TrainResult:
    """Train P candidates that share a key, on the device that the data is on.

    What comes of a candidate does not depend on the others, nor on when they leave.

    Args:
        train: What `make_train` gives.
        programs: P stacked programs, as NumPy arrays.
        key: One typed JAX key.
        learning_rates: [P] float32.
        chunk_size: How many candidates are trained at once, at least 1.

    Returns:
        Results with a leading axis [P], as NumPy arrays.
    """
    # The key decides where networks begin: on the device, and bound to it like all that comes of them later, or a
    # step would be compiled once for the first segment and again for the others.
    key = jax.device_put(key, train.data["train"][1].sharding)
    P = len(learning_rates)
    chunks = [np.arange(start, min(start + chunk_size, P)) for start in range(0, P, chunk_size)]
    states = [_begin(train, key, chunk_size) for _ in chunks]
    finite, num_steps = np.ones(P, bool), np.zeros(P, np.int32)
    step, segment = 0, FIRST_SEGMENT
    while step < train.config.num_steps and chunks:
        stop = min(step + segment, train.config.num_steps)
        for place, chunk in enumerate(chunks):
            rows = _filled_up(chunk, chunk_size)
            mine, rates = jax.tree.map(lambda array, rows=rows: array[rows], (programs, learning_rates))
            states[place] = _advance(train, states[place], mine, key, rates, step, stop)
        # Only now wait for the device: all chunks are on their way.
        for place, chunk in enumerate(chunks):
            finite[chunk] = np.asarray(states[place].finite)[: len(chunk)]
            num_steps[chunk] = np.asarray(states[place].num_steps)[: len(chunk)]
        chunks, states = _packed(chunks, states, finite, chunk_size)
        step, segment = stop, 2 * segment
    accuracy = {split: np.zeros(P, np.float32) for split in train.config.splits}
    for state, chunk in zip(states, chunks, strict=True):
        result = _finish(train, state)
        finite[chunk] = np.asarray(result.finite)[: len(chunk)]
        for split, values in result.accuracy.items():
            accuracy[split][chunk] = np.asarray(values)[: len(chunk)]
    return TrainResult(accuracy, finite, num_steps)  # type: ignore[arg-type]


def chunk_bytes(train: Train, capacity: int, chunk_size: int) -> int:
    """Device memory that the training of so many candidates needs, data aside: what the compiler says of it.

    An evaluation counts too: of few images a step, it needs more than a step.

    Args:
        train: What `make_train` gives.
        capacity: Nodes that a program holds.
        chunk_size: How many candidates are trained at once, at least 1.
    """
    programs = LossProgram.from_trees([LossTree.parse("x * y")] * chunk_size, capacity)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(_begin, train, key, chunk_size)
    rates, step = jax.ShapeDtypeStruct((chunk_size,), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    advanced = _advance.lower(train, state, programs, key, rates, step, step).compile().memory_analysis()
    finished = _finish.lower(train, state).compile().memory_analysis()
    assert advanced is not None
    assert finished is not None
    networks = advanced.output_size_in_bytes
    return int(max(advanced.temp_size_in_bytes, finished.temp_size_in_bytes) + networks)


def _packed(
    chunks: list[np.ndarray], states: list[TrainState], finite: np.ndarray, chunk_size: int
) -> tuple[list[np.ndarray], list[TrainState]]:
    """What lives, in as few chunks as hold it."""
    alive = [np.flatnonzero(finite[chunk]) for chunk in chunks]
    members = np.concatenate([chunk[slots] for chunk, slots in zip(chunks, alive, strict=True)])
    if -(-len(members) // chunk_size) == len(chunks):
        return chunks, states
    rows = np.concatenate([place * chunk_size + slots for place, slots in enumerate(alive)])
    starts = range(0, len(members), chunk_size)
    picked = [_pick(states, _filled_up(rows[start : start + chunk_size], chunk_size)) for start in starts]
    return [members[start : start + chunk_size] for start in starts], picked


def _filled_up(places: np.ndarray, chunk_size: int) -> np.ndarray:
    """The last one is repeated, so that all chunks run the same program."""
    return np.pad(places, (0, chunk_size - len(places)), mode="edge")


@partial(jax.jit, static_argnames="chunk_size")
def _begin(train: Train, key: jax.Array, chunk_size: int) -> TrainState:
    """The same network for all, as they share the key."""
    state: TrainState = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (chunk_size, *leaf.shape)), train.begin(key))
    return state


@partial(jax.jit, donate_argnames="state")
def _advance(
    train: Train,
    state: TrainState,
    programs: LossProgram,
    key: jax.Array,
    learning_rates: jax.Array,
    start: jax.Array,
    stop: jax.Array,
) -> TrainState:
    return train.advance(state, programs, key, learning_rates, start, stop)


@jax.jit
def _finish(train: Train, state: TrainState) -> TrainResult:
    return train.finish(state)


@jax.jit
def _pick(states: list[TrainState], rows: jax.Array) -> TrainState:
    """Rows of all chunks, one after the other, as a new chunk."""
    picked: TrainState = jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[rows], *states)
    return picked
