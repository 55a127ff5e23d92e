from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from numpy.typing import ArrayLike

from glojax.errors import ConfigurationError
from glojax.strategies.genetic import GeneticConfig, select_parents
from glojax.strategies.genetic.config import SelectionKind

NUM_DRAWS = 10_000
KINDS: tuple[SelectionKind, ...] = get_args(SelectionKind)


@pytest.mark.parametrize(
    ("selection", "fitness", "expected"),
    [
        ("roulette", [0.5, 0.0, 0.3, 0.2], [0.5, 0.0, 0.3, 0.2]),
        ("roulette", [1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4]),
        ("roulette", [0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]),
        ("roulette", [-3, -1, 0, -2], [0, 2 / 6, 3 / 6, 1 / 6]),
        ("roulette", [-3, -3, -3, -3], [0.25, 0.25, 0.25, 0.25]),
        ("roulette", [0.3, -1e9, 0.1, -2], [0.75, 0, 0.25, 0]),
        ("rank", [0.97, 0.0, 0.98, 0.5], [0.3, 0.1, 0.4, 0.2]),
        ("rank", [0.0, 0.0, 0.0, 0.9], [0.2, 0.2, 0.2, 0.4]),
        ("rank", [-3, -2, -1, 0], [0.1, 0.2, 0.3, 0.4]),
        # Of 4 ** 3 tournaments, the r-th worst of four candidates wins r ** 3 - (r - 1) ** 3.
        ("tournament", [0.97, 0.0, 0.98, 0.5], [19 / 64, 1 / 64, 37 / 64, 7 / 64]),
        ("tournament", [0.0, 0.0, 0.0, 0.9], [9 / 64, 9 / 64, 9 / 64, 37 / 64]),
        ("tournament", [-3, -2, -1, 0], [1 / 64, 7 / 64, 19 / 64, 37 / 64]),
    ],
)
def test_frequencies(
    selection: SelectionKind,
    fitness: list[float],
    expected: list[float],
    assert_rate: Callable[[int, int, float], None],
) -> None:
    config = GeneticConfig(selection=selection, tournament_size=3)

    parents = select_parents(fitness, NUM_DRAWS, config, np.random.default_rng(1))

    assert parents.shape == (NUM_DRAWS,)
    for count, rate in zip(np.bincount(parents, minlength=4).tolist(), expected, strict=True):
        assert_rate(count, NUM_DRAWS, rate)


@pytest.mark.parametrize("tournament_size", [1, 5])
def test_tournament_size_sets_the_pressure(
    tournament_size: int, assert_rate: Callable[[int, int, float], None]
) -> None:
    config = GeneticConfig(selection="tournament", tournament_size=tournament_size)

    parents = select_parents([0.1, 0.9], NUM_DRAWS, config, np.random.default_rng(2))

    assert_rate(int(parents.sum()), NUM_DRAWS, 1 - 0.5**tournament_size)


@pytest.mark.parametrize("selection", KINDS)
def test_the_same_state_selects_the_same_parents(selection: SelectionKind) -> None:
    config = GeneticConfig(selection=selection)

    first, second = (select_parents([0.1, 0.5, 0.9], 50, config, np.random.default_rng(3)) for _ in range(2))

    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("selection", KINDS)
@pytest.mark.parametrize(
    ("fitness", "message"),
    [
        ([], "shape (0,)"),
        ([[0.5, 0.5]], "shape (1, 2)"),
        ([0.5, float("nan")], "candidate 1 is nan"),
        ([float("inf"), 0.5], "candidate 0 is inf"),
    ],
)
def test_rejects_unusable_fitness(selection: SelectionKind, fitness: ArrayLike, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        select_parents(fitness, 2, GeneticConfig(selection=selection), np.random.default_rng(4))

    assert message in str(caught.value)
