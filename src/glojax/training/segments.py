"""Training in chunks of candidates and segments of steps, after each of which the chunks are packed.

A chunk takes as long as its last candidate. After each segment the candidates that are still training therefore move
into as few chunks as hold them; those whose patience has ended them are measured before. Short segments come first, as
most failures come early.

A step is compiled for each width of a chunk: the chunk size, and the powers of two below it, from 2, for the remainder.
A candidate stays in chunks of one width, because another width would round differently.
"""

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.training.state import TrainResult, TrainState
from glojax.training.train import Train

#: Steps of the first segment; each segment has twice as many as the one before.
FIRST_SEGMENT = 16


@jax.transfer_guard("allow")
def train_in_segments(
    train: Train, programs: LossProgram, key: jax.Array, learning_rates: np.ndarray, chunk_size: int
) -> TrainResult:
    """Train P candidates that share a key, on the device that the data is on, `chunk_size` of them at once.

    A candidate's result depends neither on the others nor on when they fail. Its index matters only up to rounding,
    where it is in the remainder. Programs, learning rates [P] and results are NumPy arrays.
    """
    # The first state is committed to the device, as later states are, or a step would be compiled once more for it.
    here = train.data["train"][1].sharding
    key = jax.device_put(key, here)
    P = len(learning_rates)
    chunks = [_Chunk(rows, jax.device_put(_begin(train, key, len(rows)), here)) for rows in _cut(P, chunk_size)]
    config = train.config
    curve = None if config.evaluate_every is None else np.full((P, len(config.evaluated_steps)), np.nan, np.float32)
    scores = {split: np.zeros(P, np.float32) for split in config.splits}
    results = TrainResult(scores, np.zeros(P, bool), np.zeros(P, np.int32), curve)  # type: ignore[arg-type]
    step, segment = 0, FIRST_SEGMENT
    while step < config.num_steps and chunks:
        stop = min(step + segment, config.num_steps)
        for chunk in chunks:
            chosen, rates = jax.tree.map(lambda array, rows=chunk.indices: array[rows], (programs, learning_rates))
            chunk.state = _advance(train, chunk.state, chosen, key, rates, step, stop)
        # The device has work for all chunks before the first wait.
        training = np.ones(P, bool)
        for chunk in chunks:
            chunk.write(chunk.state.is_training, training)
            chunk.write(chunk.state.num_steps, results.num_steps)
        if config.evaluate_every is not None:
            # A training that has ended leaves a curve and, where patience has ended it, a network.
            for chunk in chunks:
                if not training[chunk.indices].all():
                    chunk.write(_finish(train, chunk.state), results, ~training)
        groups = groupby(chunks, lambda chunk: len(chunk.indices))
        chunks = [chunk for _, same in groups for chunk in _packed([*same], training)]
        step, segment = stop, 2 * segment
    for chunk in chunks:
        chunk.write(_finish(train, chunk.state), results)
    return results


def chunk_bytes(train: Train, capacity: int, chunk_size: int) -> int:
    """Return the bytes of device memory, data aside, that the compiler plans for training so many candidates.

    `capacity` is the largest number of instructions of a program. The evaluation may need more memory than a step.
    """
    programs = LossProgram.from_trees([LossTree.parse("x * y")] * chunk_size, capacity, domain=train.task.domain)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(_begin, train, key, chunk_size)
    rates = jax.ShapeDtypeStruct((chunk_size,), jnp.float32)
    advanced: Any = _advance.lower(train, state, programs, key, rates, 0, 0).compile().memory_analysis()
    finished: Any = _finish.lower(train, state).compile().memory_analysis()
    return int(max(advanced.temp_size_in_bytes, finished.temp_size_in_bytes) + advanced.output_size_in_bytes)


@dataclass
class _Chunk:
    """Candidates that train in step: the candidate of each row, where some may be repeated, and the rows' state."""

    indices: np.ndarray
    state: TrainState

    @property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """The candidates, each once, and a row of each."""
        indices, rows = np.unique(self.indices, return_index=True)
        return indices, rows

    def write(self, rows: Any, values: Any, chosen: np.ndarray | None = None) -> None:
        """Write what each row has to the values [P, ...] of all candidates, or of the chosen [P] ones."""
        indices, distinct = self.distinct
        if chosen is not None:
            indices, distinct = indices[chosen[indices]], distinct[chosen[indices]]

        def write(row_values: jax.Array, values: np.ndarray) -> None:
            values[indices] = np.asarray(row_values)[distinct]

        jax.tree.map(write, rows, values)


def _cut(P: int, chunk_size: int) -> list[np.ndarray]:
    """Return the indices of chunks of this size, and of one for the remainder."""
    remainder = P % chunk_size
    width = min(chunk_size, max(2, 2 ** (remainder - 1).bit_length()))
    whole = list(np.arange(P - remainder).reshape(-1, chunk_size))
    return [*whole, _filled_up(np.arange(P - remainder, P), width)] if remainder else whole


def _packed(chunks: list[_Chunk], training: np.ndarray) -> list[_Chunk]:
    """Move candidates in training out of the last chunks of one width, into rows of ended ones of the first."""
    width = len(chunks[0].indices)
    needed = [rows[training[indices]] for indices, rows in (chunk.distinct for chunk in chunks)]
    num_kept = -(-sum(map(len, needed)) // width)
    moving = [(source, row) for source in range(num_kept, len(chunks)) for row in needed[source]]
    free = [(target, row) for target in range(num_kept) for row in np.setdiff1d(np.arange(width), needed[target])]
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
    return rows[np.minimum(np.arange(width), len(rows) - 1)]


@partial(jax.jit, static_argnames="chunk_size")
def _begin(train: Train, key: jax.Array, chunk_size: int) -> TrainState:
    """Return the state of candidates with the same network, as they share the key."""
    state: TrainState = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (chunk_size, *leaf.shape)), train.begin(key))
    return state


_advance = jax.jit(Train.advance, donate_argnames="state")
_finish = jax.jit(Train.finish)


@partial(jax.jit, donate_argnames="target")
def _moved(target: TrainState, source: TrainState, from_rows: jax.Array, to_rows: jax.Array) -> TrainState:
    """Return the target with rows of the source written over its own."""
    moved: TrainState = jax.tree.map(lambda ours, theirs: ours.at[to_rows].set(theirs[from_rows]), target, source)
    return moved
