"""Training in chunks and segments, between which failed candidates leave and the others are packed together.

A chunk of candidates takes as long as its last candidate. A training is therefore cut into segments, short ones first,
as most failures come early. After each segment the candidates that are still training move into as few chunks as hold
them.

A step is compiled for each width of a chunk: the chunk size, and the powers of two below it, from 2, for the remainder.
A candidate stays in chunks of one width, because another width would round differently.
"""

from dataclasses import dataclass
from functools import partial
from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training.train import Train, TrainResult, TrainState

#: Steps of the first segment; each segment has twice as many as the one before.
FIRST_SEGMENT = 16


def train_in_segments(
    train: Train, programs: LossProgram, key: jax.Array, learning_rates: np.ndarray, chunk_size: int
) -> TrainResult:
    """Train P candidates that share a key, on the device that the data is on.

    A candidate's result depends neither on the others nor on when they fail. Its index matters only up to rounding,
    where it is in the remainder.

    Args:
        train: The training that `make_train` returns.
        programs: P stacked programs, as NumPy arrays.
        key: One typed JAX key.
        learning_rates: [P] float32.
        chunk_size: Candidates that are trained at once, at least 1.

    Returns:
        Results with a leading axis [P], as NumPy arrays.
    """
    # The first state is committed to the device, as later states are, or a step would be compiled once for the first
    # segment and again for the others.
    here = train.data["train"][1].sharding
    key = jax.device_put(key, here)
    P = len(learning_rates)
    chunks = [_Chunk(rows, jax.device_put(_begin(train, key, len(rows)), here)) for rows in _cut(P, chunk_size)]
    finite, num_steps = np.ones(P, bool), np.zeros(P, np.int32)
    step, segment = 0, FIRST_SEGMENT
    while step < train.config.num_steps and chunks:
        stop = min(step + segment, train.config.num_steps)
        for chunk in chunks:
            chosen, rates = jax.tree.map(lambda array, rows=chunk.indices: array[rows], (programs, learning_rates))
            chunk.state = _advance(train, chunk.state, chosen, key, rates, step, stop)
        # The device has work for all chunks before the first wait.
        for chunk in chunks:
            indices, rows = chunk.distinct
            finite[indices] = np.asarray(chunk.state.finite)[rows]
            num_steps[indices] = np.asarray(chunk.state.num_steps)[rows]
        chunks = [chunk for _, same in groupby(chunks, lambda chunk: chunk.width) for chunk in _packed([*same], finite)]
        step, segment = stop, 2 * segment
    scores = {split: np.zeros(P, np.float32) for split in train.config.splits}
    for chunk in chunks:
        indices, rows = chunk.distinct
        result = _finish(train, chunk.state)
        finite[indices] = np.asarray(result.finite)[rows]
        for split, values in result.scores.items():
            scores[split][indices] = np.asarray(values)[rows]
    return TrainResult(scores, finite, num_steps)  # type: ignore[arg-type]


def chunk_bytes(train: Train, capacity: int, chunk_size: int) -> int:
    """Return the bytes of device memory, data aside, that the compiler plans for training so many candidates.

    The evaluation counts too, as it needs more than a step of few images.

    Args:
        train: The training that `make_train` returns.
        capacity: Largest number of nodes of a program.
        chunk_size: Candidates that are trained at once, at least 1.
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


@dataclass
class _Chunk:
    """Candidates that train in step.

    Attributes:
        indices: [width] The candidate of each row; a chunk is filled up with repetitions.
        state: The state of all rows.
    """

    indices: np.ndarray
    state: TrainState

    @property
    def width(self) -> int:
        return len(self.indices)

    @property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """The candidates, each once, and a row of each."""
        indices, rows = np.unique(self.indices, return_index=True)
        return indices, rows


def _cut(P: int, chunk_size: int) -> list[np.ndarray]:
    """Return the indices of chunks of this size, and of one for the remainder."""
    remainder = P % chunk_size
    width = min(chunk_size, max(2, 2 ** (remainder - 1).bit_length()))
    whole = list(np.arange(P - remainder).reshape(-1, chunk_size))
    return [*whole, _filled_up(np.arange(P - remainder, P), width)] if remainder else whole


def _packed(chunks: list[_Chunk], finite: np.ndarray) -> list[_Chunk]:
    """Move finite candidates out of the last of these chunks of one width, into rows of failed ones of the first."""
    width = chunks[0].width
    training = [rows[finite[indices]] for indices, rows in (chunk.distinct for chunk in chunks)]
    num_kept = -(-sum(map(len, training)) // width)
    moving = [(source, row) for source in range(num_kept, len(chunks)) for row in training[source]]
    free = [(target, row) for target in range(num_kept) for row in np.setdiff1d(np.arange(width), training[target])]
    moves: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (source, row), (target, to) in zip(moving, free, strict=False):
        moves.setdefault((source, target), []).append((row, to))
    for (source, target), rows in moves.items():
        from_rows, to_rows = _filled_up(np.array(rows), width).T
        chunks[target].indices[to_rows] = chunks[source].indices[from_rows]
        chunks[target].state = _moved(chunks[target].state, chunks[source].state, from_rows, to_rows)
    return chunks[:num_kept]


def _filled_up(rows: np.ndarray, width: int) -> np.ndarray:
    """Repeat the last row up to this width."""
    repeated: np.ndarray = rows[np.minimum(np.arange(width), len(rows) - 1)]
    return repeated


@partial(jax.jit, static_argnames="chunk_size")
def _begin(train: Train, key: jax.Array, chunk_size: int) -> TrainState:
    """Return the state of candidates with the same network, as they share the key."""
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


@partial(jax.jit, donate_argnames="target")
def _moved(target: TrainState, source: TrainState, from_rows: jax.Array, to_rows: jax.Array) -> TrainState:
    """Return the target with rows of the source written over its own."""
    moved: TrainState = jax.tree.map(lambda ours, theirs: ours.at[to_rows].set(theirs[from_rows]), target, source)
    return moved
