"""What breaks in one candidate stays its own: healthy ones beside every operator at every extreme, to the last bit."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax.datasets import Dataset
from glojax.expressions import OPERATORS, PAPER_OPERATORS, LossTree
from glojax.losses import LossProgram
from glojax.training import Train, TrainingConfig, make_train, train_population
from tests.training.tiny_cnn import TinyCNN

#: An operand of each kind, most of them with a derivative of the same kind.
OPERANDS = {
    "0": "y - y",
    "tiny": "1e-38*y",
    "1": "y / y",
    "huge": "3e38*y",
    "inf": "y / 0",
    "-inf": "-y / 0",
    "nan": "log(-y)",
    "negative": "-y",
}
HEALTHY = [LossTree.parse(text) for text in ("x * log(y)", "log(y) - x / y", "x * sqrt(y) - y^2")]

#: Of so many candidates in a row the first is healthy.
GROUP_SIZE = 5

KEY = jax.random.key(1)


def extremes() -> Iterator[LossTree]:
    """Every operator over every operand, or over every two."""
    operands = [LossTree.parse(text) for text in OPERANDS.values()]
    for name in (*PAPER_OPERATORS, "exp", "abs", "tanh", "sin", "cos"):
        yield from (LossTree.of(name, *each) for each in product(operands, repeat=OPERATORS[name].arity))
    yield from (LossTree.of("power", each, value=exponent) for each in operands for exponent in (0.7, -1.5))


def population(neighbours: list[LossTree]) -> LossProgram:
    """Healthy candidates beside others."""
    others = iter(neighbours)
    num_trees = len(neighbours) * GROUP_SIZE // (GROUP_SIZE - 1)
    trees = [HEALTHY[index % len(HEALTHY)] if index % GROUP_SIZE == 0 else next(others) for index in range(num_trees)]
    return LossProgram.from_trees(trees, 16, OPERATORS)


BROKEN = list(extremes())
BESIDE_BROKEN, BESIDE_HEALTHY = population(BROKEN), population((HEALTHY * len(BROKEN))[: len(BROKEN)])


@pytest.fixture(scope="module")
def train() -> Train:
    images, classes = np.random.default_rng(0).uniform(size=(48, 8, 8, 1)).astype(np.float32), np.arange(48) % 10
    dataset = Dataset.from_arrays("random", images, classes, validation=range(40, 48))
    return make_train(TinyCNN, dataset, TrainingConfig(3, batch_size=8, learning_rate=0.1))


def one_by_one(train: Train, programs: LossProgram) -> Any:
    return train_population(train, programs, KEY)


@jax.jit
def in_step(train: Train, programs: LossProgram) -> Any:
    """All candidates in one chunk, and what comes of them to the last bit of the networks."""
    state, P = train.begin(KEY), programs.length.size
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (P, *leaf.shape)), state)
    return train.advance(state, programs, KEY, jnp.full(P, 0.1, jnp.float32), 0, 3)


@pytest.mark.parametrize("way", [one_by_one, in_step])
def test_healthy_candidates_are_bitwise_the_same_beside_broken_ones(
    way: Callable[[Train, LossProgram], Any], train: Train
) -> None:
    beside_broken, beside_healthy = way(train, BESIDE_BROKEN), way(train, BESIDE_HEALTHY)
    healthy = np.arange(0, BESIDE_BROKEN.length.size, GROUP_SIZE)
    assert np.asarray(beside_healthy.finite).all()
    assert 0.2 < np.delete(beside_broken.finite, healthy).mean() < 0.8
    for ours, theirs in zip(jax.tree.leaves(beside_broken), jax.tree.leaves(beside_healthy), strict=True):
        np.testing.assert_array_equal(np.asarray(ours)[healthy], np.asarray(theirs)[healthy])
