import dataclasses
import math

import pytest
from hypothesis import given, settings, strategies as st

from glojax.errors import ConfigurationError
from glojax.expressions import MAX_NODES, LossTree, Node
from glojax.strategies.genetic import GenerationalSearch, GeneticConfig
from glojax.strategies.genetic.config import SelectionKind
from tests.strategies.driving import digest_of, evaluation, next_generation, rounds_of

X, Y = LossTree.of("x"), LossTree.of("y")
LOG_X = LossTree.of("log", X)
CROSS_ENTROPY = LossTree.of("multiply", X, LossTree.of("log", Y))

NO_MUTATION = GeneticConfig(integer_step_rate=0, same_arity_rate=0, collapse_rate=0, expand_rate=0)


def test_elites_come_first_unchanged_by_fitness_then_size_then_index() -> None:
    minus_one, one = LossTree.constant(-1), LossTree.constant(1)
    population = [X, CROSS_ENTROPY, LOG_X, minus_one, Y, one]
    config = GeneticConfig(population_size=6, num_elites=5)

    children = next_generation(population, [0.1, 0.9, 0.5, 0.5, 0.95, 0.5], config, seed=6)

    assert children[:5] == [Y, CROSS_ENTROPY, minus_one, one, LOG_X]
    assert len(children) == 6


def test_unknown_fitness_is_no_elite_while_another_is_known() -> None:
    config = GeneticConfig(population_size=4, num_elites=2, selection="rank")

    assert next_generation([X, LOG_X, Y, CROSS_ENTROPY], [None, 0.1, None, 0.2], config, 0)[:2] == [
        CROSS_ENTROPY,
        LOG_X,
    ]
    assert next_generation([X, LOG_X, Y, CROSS_ENTROPY], [None, -3, None, -2], config, 0)[0] == CROSS_ENTROPY


@pytest.mark.parametrize(("population_size", "num_elites"), [(1, 0), (2, 1), (7, 0), (80, 6), (81, 6)])
def test_a_generation_is_exactly_full(population_size: int, num_elites: int) -> None:
    config = GeneticConfig(population_size=population_size, num_elites=num_elites)

    assert [len(trees) for trees in rounds_of(GenerationalSearch(config, seed=7), 3)] == [population_size] * 3


def test_without_a_cap_trees_grow() -> None:
    config = GeneticConfig(max_nodes=None, expand_rate=0.5, collapse_rate=0)

    rounds = rounds_of(GenerationalSearch(config, seed=9), 9, fitness=lambda tree: tree.size)

    assert max(tree.size for tree in rounds[-1]) > 64


def test_even_without_a_cap_every_tree_is_read_back_from_its_text() -> None:
    config = dataclasses.replace(NO_MUTATION, max_nodes=None, crossover_rate=1.0, population_size=10, num_elites=2)
    deep = LossTree((*[Node("log")] * (MAX_NODES - 3), Node("add"), Node("x"), Node("y")))

    population = next_generation([deep] * 10, [0.5] * 10, config, seed=13)

    assert population[:2] == [deep, deep]
    assert len({tree.size for tree in population}) > 2
    assert all(LossTree.parse(str(tree)) == tree for tree in population)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    selection=st.sampled_from(["roulette", "rank", "tournament"]),
    max_nodes=st.integers(3, 64),
)
def test_the_same_seed_breeds_the_same_valid_population(seed: int, selection: str, max_nodes: int) -> None:
    config = GeneticConfig(population_size=20, num_elites=2, selection=selection, max_nodes=max_nodes)  # type: ignore[arg-type]

    first, second = rounds_of(GenerationalSearch(config, seed), 2)

    assert rounds_of(GenerationalSearch(config, seed), 2) == [first, second]
    assert len(second) == 20
    assert all(LossTree(tree.nodes) == tree and tree.size <= max_nodes for tree in first + second)


def test_another_seed_breeds_another_population() -> None:
    one, other = (rounds_of(GenerationalSearch(GeneticConfig(), seed), 2) for seed in (1, 2))

    assert one[0] != other[0]
    assert one[1] != other[1]


def test_equal_candidates_are_evaluated_separately() -> None:
    config = GeneticConfig(population_size=3, num_elites=0, selection="rank")
    search = GenerationalSearch(config, 0, initial=[X, X, X])

    for remaining in (3, 2, 1):
        assert len(search.ask(3)) == (3 if remaining == 3 else 0)
        search.tell(X, evaluation(X, 0.5))

    assert len(search.ask(3)) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_fitness_that_is_not_finite_is_refused_with_the_index_of_the_candidate(value: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"candidate 1 is {value}; expected finite numbers: give .* None"):
        next_generation([X, Y], [0.5, value], GeneticConfig(population_size=2, num_elites=1), seed=0)


@pytest.mark.parametrize("selection", ["roulette", "rank", "tournament"])
def test_fitness_may_be_negative(selection: SelectionKind) -> None:
    config = GeneticConfig(population_size=2, num_elites=1, selection=selection)

    assert next_generation([X, Y], [-7.0, -0.5], config, seed=0)[0] == Y


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GeneticConfig(), "2835c8f98fafc9ab"),
        (GeneticConfig(selection="rank", max_nodes=20), "aa469aa98db0e390"),
        (GeneticConfig(selection="tournament", max_nodes=None, num_elites=0), "5f3c135538be264a"),
    ],
    ids=["roulette", "rank", "tournament"],
)
def test_the_first_five_generations_stay_the_same_from_version_to_version(config: GeneticConfig, expected: str) -> None:
    assert digest_of(rounds_of(GenerationalSearch(config, seed=3), 5)) == expected
