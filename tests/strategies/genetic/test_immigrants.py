from collections.abc import Callable
from itertools import chain

import pytest

from glojax.expressions import LossTree
from glojax.strategies import GenerationalSearch, GeneticConfig, ShapeSearch, SteadyStateSearch
from glojax.strategies.genetic import reproduction
from tests.strategies.driving import number_of, rounds_of

KINDS = [GenerationalSearch, SteadyStateSearch, ShapeSearch]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_so_many_of_the_later_candidates_are_random(
    kind: type[GenerationalSearch | SteadyStateSearch],
    rate: float,
    assert_rate: Callable[[int, int, float], None],
) -> None:
    config = GeneticConfig(population_size=200, num_elites=0, immigrant_rate=rate, initial_depth=4, expand_rate=0.2)
    drawn: set[LossTree] = set()

    def is_new(tree: LossTree) -> bool:
        # Equal trees have one origin.
        return tree not in drawn and not drawn.add(tree)  # type: ignore[func-returns-value]

    search = kind(config, seed=0, constraint=is_new)
    later = list(chain.from_iterable(rounds_of(search, 5, fitness=number_of)[1:]))
    assert len(later) == 800
    random = sum(search.origin_of(tree).making == "random" for tree in later)
    assert_rate(random, len(later), rate)


@pytest.mark.parametrize("kind", KINDS)
def test_immigrants_are_as_deep_as_the_first_population(kind: type[GenerationalSearch | SteadyStateSearch]) -> None:
    config = GeneticConfig(population_size=50, num_elites=0, immigrant_rate=1.0, initial_depth=1)
    later = list(chain.from_iterable(rounds_of(kind(config, seed=1), 3)[1:]))
    assert later
    assert all(tree.depth <= 1 for tree in later)


def test_elites_stay_beside_the_immigrants() -> None:
    config = GeneticConfig(population_size=10, num_elites=3, immigrant_rate=1.0)
    search = GenerationalSearch(config, seed=2)
    first, second = rounds_of(search, 2, fitness=number_of)
    assert second[:3] == sorted(first, key=number_of, reverse=True)[:3]
    assert len(second) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_when_no_random_tree_is_new_any_more_all_are_children(
    kind: type[GenerationalSearch | SteadyStateSearch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproduction, "_MAX_DRAWS_PER_CANDIDATE", 500)
    config = GeneticConfig(population_size=30, num_elites=0, immigrant_rate=0.5, initial_depth=1, expand_rate=0.2)
    drawn: set[LossTree] = set()
    search = kind(config, seed=3, constraint=lambda tree: tree not in drawn and not drawn.add(tree))  # type: ignore[func-returns-value]
    rounds = rounds_of(search, 12, fitness=number_of)
    assert [len(trees) for trees in rounds] == [30] * 12
    assert not any(search.origin_of(tree).making == "random" for tree in rounds[-1])
