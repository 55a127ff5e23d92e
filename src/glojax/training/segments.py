"""Training in chunks of candidates and segments of steps, after each of which the chunks are packed.

A chunk takes as long as its last candidate. After each segment the candidates that are still training therefore move
into as few chunks as hold them; those that have ended are measured before. Short segments come first, as most failures
come early.

A step is compiled for two widths of a chunk, the chunk size and a quarter of it, and serves trainings of any number of
steps. A candidate stays in chunks of one width, because another width would round differently.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.tasks import ClassCounts
from glojax.training.state import TrainResult, TrainState
from glojax.training.train import Train

#: Steps of the first segment; each segment has twice as many as the one before.
FIRST_SEGMENT = 16


@jax.transfer_guard("allow")
def train_in_segments(
    train: Train,
    programs: LossProgram,
    keys: jax.Array,
    learning_rates: np.ndarray,
    chunk_size: int,
    *,
    num_steps: np.ndarray | None = None,
    on_results: Callable[[np.ndarray, TrainResult], None] = lambda candidates, results: None,
) -> TrainResult:
    """Train P candidates on the device that the data is on, `chunk_size` of them at once.

    A candidate's result depends neither on the others nor on when they fail. Its index matters only up to rounding,
    where it is in the remainder.

    Args:
        train: The training that `make_train` returns.
        programs: P stacked programs, of NumPy arrays.
        keys: One typed JAX key for all candidates, whose batches are then drawn once, or [P] keys.
        learning_rates: [P] float32.
        chunk_size: At least 1.
        num_steps: [P] int32, at most the configuration's; None for the configuration's. The rate must not decay.
        on_results: Called with the numbers [k] of candidates that have come to their end, and their results [k].

    Returns:
        Results with a leading axis [P], of NumPy arrays.
    """
    config = train.config
    if num_steps is None:
        num_steps = np.full(len(learning_rates), config.num_steps, np.int32)
    train = _without_end(train)
    # The first state is committed to the device, as later states are, or a step would be compiled once more for it.
    here = train.data["train"][1].sharding
    keys = jax.device_put(keys, here)
    P = len(learning_rates)
    chunks = []
    for rows in _cut(P, chunk_size):
        own = keys[rows] if keys.ndim else keys
        chunks.append(_Chunk(rows, own, jax.device_put(_begin(train, own, len(rows)), here)))
    curve = None if config.evaluate_every is None else np.full((P, len(config.evaluated_steps)), np.nan, np.float32)
    scores = {split: np.zeros(P, np.float32) for split in config.splits}
    counts = ClassCounts.zeros(P, train.num_outputs) if config.counts_classes else None
    results = TrainResult(scores, np.zeros(P, bool), np.zeros(P, np.int32), curve, counts)  # type: ignore[arg-type]
    step, segment = 0, FIRST_SEGMENT
    training = np.ones(P, bool)
    while chunks:
        stop = min(step + segment, int(num_steps[training].min()))
        for chunk in chunks:
            chosen, rates = jax.tree.map(lambda array, rows=chunk.indices: array[rows], (programs, learning_rates))
            chunk.state = _advance(train, chunk.state, chosen, chunk.keys, rates, step, stop)
        # The device has work for all chunks before the first wait.
        before = training.copy()
        for chunk in chunks:
            chunk.write(chunk.state.is_training, training)
            chunk.write(chunk.state.num_steps, results.num_steps, before)
        # A training that has failed has no score; with evaluations on the way it leaves a curve and perhaps a network.
        measured = before & (num_steps <= stop)
        measured = before & ~training | measured if config.evaluate_every is not None else training & measured
        training &= num_steps > stop
        for chunk in chunks:
            if measured[chunk.indices].any():
                chunk.write(_finish(train, chunk.state), results, measured)
        ended = np.flatnonzero(before & ~training)
        if len(ended):
            on_results(ended, jax.tree.map(lambda array, ended=ended: array[ended], results))
        groups = groupby(chunks, lambda chunk: len(chunk.indices))
        chunks = [chunk for _, same in groups for chunk in _packed([*same], training)]
        step, segment = stop, 2 * segment
    return results


def chunk_bytes(train: Train, capacity: int, chunk_size: int, operators: Iterable[str] = ()) -> int:
    """Return the bytes of device memory, data aside, that the compiler plans for training so many candidates.

    The compiled programs are kept, and train chunks of programs that hold `capacity` instructions and know the
    operators. The evaluation may need more memory than a step.
    """
    trees = [LossTree.parse("x * y")] * chunk_size
    programs = LossProgram.from_trees(trees, capacity, operators, domain=train.task.domain)
    train, here = _without_end(train), train.data["train"][1].sharding
    key = jax.random.key(0)
    keys = jax.device_put(key if train.shares_batches else jax.random.split(key, chunk_size), here)
    # What is compiled depends on where arguments are, too.
    state = jax.device_put(_begin(train, keys, chunk_size), here)
    rates = np.zeros(chunk_size, np.float32)
    advanced: Any = _advance.lower(train, state, programs, keys, rates, 0, 0).compile().memory_analysis()
    finished: Any = _finish.lower(train, state).compile().memory_analysis()
    return int(max(advanced.temp_size_in_bytes, finished.temp_size_in_bytes) + advanced.output_size_in_bytes)


def _without_end(train: Train) -> Train:
    """Return the training with a number of steps of no meaning, as far as that is no part of what is compiled."""
    return replace(train, config=replace(train.config, num_steps=1)) if train.config.has_free_end else train


@dataclass
class _Chunk:
    """Candidates that train in step: the candidate of each row, where some may be repeated, and the rows' state.

    Keys are one for all rows, or one for each.
    """

    indices: np.ndarray
    keys: jax.Array
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


def narrow_width(chunk_size: int) -> int:
    """Return the width of chunks for few candidates."""
    return min(chunk_size, max(2, chunk_size // 4))


def _cut(P: int, chunk_size: int) -> list[np.ndarray]:
    """Return the indices of chunks of this size, and of narrow ones or one more for the remainder."""
    remainder = P % chunk_size
    start = P - remainder
    whole = list(np.arange(start).reshape(-1, chunk_size))
    width = narrow_width(chunk_size) if 2 * remainder <= chunk_size else chunk_size
    return whole + [_filled_up(np.arange(first, min(first + width, P)), width) for first in range(start, P, width)]


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
        if chunks[target].keys.ndim:
            chunks[target].keys = chunks[target].keys.at[to_rows].set(chunks[source].keys[from_rows])
        chunks[target].state = _moved(chunks[target].state, chunks[source].state, from_rows, to_rows)
    return chunks[:num_kept]


def _filled_up(rows: np.ndarray, width: int) -> np.ndarray:
    """Repeat the last row up to this width."""
    return rows[np.minimum(np.arange(width), len(rows) - 1)]


@partial(jax.jit, static_argnames="chunk_size")
def _begin(train: Train, keys: jax.Array, chunk_size: int) -> TrainState:
    """Return the state of candidates, which have the same network where they share the key."""
    state = train.begin(keys)
    if keys.ndim == 0:
        state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (chunk_size, *leaf.shape)), state)
    return state


#: XLA would try its own products of matrices against the library's on a GPU, which takes several seconds and wins
#: nothing: populations of the shipped networks train as fast without.
COMPILER_OPTIONS = {"xla_gpu_enable_triton_gemm": False}

_advance = jax.jit(Train.advance, donate_argnames="state", compiler_options=COMPILER_OPTIONS)
_finish = jax.jit(Train.finish, compiler_options=COMPILER_OPTIONS)


@partial(jax.jit, donate_argnames="target")
def _moved(target: TrainState, source: TrainState, from_rows: jax.Array, to_rows: jax.Array) -> TrainState:
    """Return the target with rows of the source written over its own."""
    moved: TrainState = jax.tree.map(lambda ours, theirs: ours.at[to_rows].set(theirs[from_rows]), target, source)
    return moved
