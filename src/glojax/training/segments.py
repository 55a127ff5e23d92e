"""Candidates that a device trains several at once, in segments between which the dead leave and the living are packed.

A chunk of candidates takes as long as its longest-lived one. So a training is cut into segments, short ones first, as
most deaths come early; after each, what still lives moves together into as few chunks as hold it.

A step is compiled for each width of a chunk: the chunk size, and the powers of two below it, from 2, for what is left
over. A candidate stays in chunks of one width, because another would round differently.
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

#: Steps before the first look at who is alive; the next looks come after twice as many, four times, and so on.
FIRST_SEGMENT = 16


def train_in_segments(
    train: Train, programs: LossProgram, key: jax.Array, learning_rates: np.ndarray, chunk_size: int
) -> TrainResult:
    """Train P candidates that share a key, on the device that the data is on.

    What comes of a candidate does not depend on the others, nor on when they leave; only on its place, up to rounding,
    where that is among those left over.

    Args:
        train: What `make_train` gives.
        programs: P stacked programs, as NumPy arrays.
        key: One typed JAX key.
        learning_rates: [P] float32.
        chunk_size: How many candidates are trained at once, at least 1.

    Returns:
        Results with a leading axis [P], as NumPy arrays.
    """
    # Networks begin on the device, and bound to it like all that comes of them later, or a step would be compiled once
    # for the first segment and again for the others.
    here = train.data["train"][1].sharding
    key = jax.device_put(key, here)
    P = len(learning_rates)
    chunks = [_Chunk(places, jax.device_put(_begin(train, key, len(places)), here)) for places in _cut(P, chunk_size)]
    finite, num_steps = np.ones(P, bool), np.zeros(P, np.int32)
    step, segment = 0, FIRST_SEGMENT
    while step < train.config.num_steps and chunks:
        stop = min(step + segment, train.config.num_steps)
        for chunk in chunks:
            mine, rates = jax.tree.map(lambda array, rows=chunk.places: array[rows], (programs, learning_rates))
            chunk.state = _advance(train, chunk.state, mine, key, rates, step, stop)
        # Only now wait for the device: all chunks are on their way.
        for chunk in chunks:
            members, rows = chunk.members
            finite[members] = np.asarray(chunk.state.finite)[rows]
            num_steps[members] = np.asarray(chunk.state.num_steps)[rows]
        chunks = [chunk for _, same in groupby(chunks, lambda chunk: chunk.width) for chunk in _packed([*same], finite)]
        step, segment = stop, 2 * segment
    scores = {split: np.zeros(P, np.float32) for split in train.config.splits}
    for chunk in chunks:
        members, rows = chunk.members
        result = _finish(train, chunk.state)
        finite[members] = np.asarray(result.finite)[rows]
        for split, values in result.scores.items():
            scores[split][members] = np.asarray(values)[rows]
    return TrainResult(scores, finite, num_steps)  # type: ignore[arg-type]


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


@dataclass
class _Chunk:
    """Candidates in step.

    Attributes:
        places: [width] The candidate of each row; one that fills up comes again.
        state: Of all rows.
    """

    places: np.ndarray
    state: TrainState

    @property
    def width(self) -> int:
        return len(self.places)

    @property
    def members(self) -> tuple[np.ndarray, np.ndarray]:
        """Each candidate once, and a row of it."""
        members, rows = np.unique(self.places, return_index=True)
        return members, rows


def _cut(P: int, chunk_size: int) -> list[np.ndarray]:
    """Chunks of so many places, and one for what is left over."""
    left_over = P % chunk_size
    width = min(chunk_size, max(2, 2 ** (left_over - 1).bit_length()))
    whole = list(np.arange(P - left_over).reshape(-1, chunk_size))
    return [*whole, _filled_up(np.arange(P - left_over, P), width)] if left_over else whole


def _packed(chunks: list[_Chunk], finite: np.ndarray) -> list[_Chunk]:
    """What lives, in as few of these chunks of one width as hold it: out of the last ones, to where others died."""
    width = chunks[0].width
    living = [rows[finite[members]] for members, rows in (chunk.members for chunk in chunks)]
    num_kept = -(-sum(map(len, living)) // width)
    moving = [(source, row) for source in range(num_kept, len(chunks)) for row in living[source]]
    free = [(target, row) for target in range(num_kept) for row in np.setdiff1d(np.arange(width), living[target])]
    moves: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (source, row), (target, to) in zip(moving, free, strict=False):
        moves.setdefault((source, target), []).append((row, to))
    for (source, target), rows in moves.items():
        from_rows, to_rows = _filled_up(np.array(rows), width).T
        chunks[target].places[to_rows] = chunks[source].places[from_rows]
        chunks[target].state = _moved(chunks[target].state, chunks[source].state, from_rows, to_rows)
    return chunks[:num_kept]


def _filled_up(rows: np.ndarray, width: int) -> np.ndarray:
    """The last one is repeated."""
    repeated: np.ndarray = rows[np.minimum(np.arange(width), len(rows) - 1)]
    return repeated


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


@partial(jax.jit, donate_argnames="target")
def _moved(target: TrainState, source: TrainState, from_rows: jax.Array, to_rows: jax.Array) -> TrainState:
    """The target, with rows of the source in place of its own."""
    moved: TrainState = jax.tree.map(lambda ours, theirs: ours.at[to_rows].set(theirs[from_rows]), target, source)
    return moved
