import dataclasses
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from glojax.genetic import GeneticConfig, initial_population, mutate, next_generation, reproduction
from hypothesis import given, settings
from hypothesis import strategies as st

from glojax.errors import ConfigurationError
from glojax.expressions import MAX_NODES, LossTree, Node

X, Y = LossTree.of("x"), LossTree.of("y")
LOG_X = LossTree.of("log", X)
CROSS_ENTROPY = LossTree.of("multiply", X, LossTree.of("log", Y))

NO_MUTATION = GeneticConfig(integer_step_rate=0, same_arity_rate=0, collapse_rate=0, expand_rate=0)
SEEDS = st.integers(0, 2**32 - 1)


def breed_once(config: GeneticConfig, seed: int) -> tuple[LossTree, ...]:
    rng = np.random.default_rng(seed)
    population = initial_population(config, rng)
    return next_generation(population, rng.random(config.population_size), config, rng)


def test_first_population_keeps_to_its_depth_and_reaches_it() -> None:
    population = initial_population(GeneticConfig(), np.random.default_rng(1))

    assert len(population) == 80
    assert max(tree.depth for tree in population) == 2


def test_first_population_keeps_to_the_cap() -> None:
    config = GeneticConfig(initial_depth=6, max_nodes=4, population_size=500)

    assert {tree.size for tree in initial_population(config, np.random.default_rng(2))} == {1, 2, 3, 4}


def test_crossover_happens_at_its_rate(assert_rate: Callable[[int, int, float], None]) -> None:
    """Of the four ways to cross log(x) with itself, two change the pair; a copied pair never changes."""
    config = dataclasses.replace(NO_MUTATION, population_size=402, num_elites=2)
    rng = np.random.default_rng(3)
    num_pairs = num_changed = 0

    for _ in range(50):
        offspring = next_generation([LOG_X] * 402, [0.5] * 402, config, rng)[2:]
        pairs = list(zip(offspring[::2], offspring[1::2], strict=True))
        num_pairs += len(pairs)
        num_changed += sum(pair != (LOG_X, LOG_X) for pair in pairs)

    assert num_pairs == 10_000
    assert_rate(num_changed, num_pairs, 0.8 / 2)


def test_both_children_of_a_crossover_are_kept() -> None:
    config = dataclasses.replace(NO_MUTATION, crossover_rate=1.0, num_elites=0)

    offspring = next_generation([LOG_X] * 80, [0.5] * 80, config, np.random.default_rng(4))
    sizes = Counter(first.size + second.size for first, second in zip(offspring[::2], offspring[1::2], strict=True))

    assert sizes == {2 * LOG_X.size: 40}
    assert {tree.size for tree in offspring} == {1, 2, 3}


def test_without_crossover_and_mutation_offspring_are_copies_of_selected_parents() -> None:
    config = dataclasses.replace(NO_MUTATION, crossover_rate=0.0, population_size=4, num_elites=0)

    offspring = next_generation([X, Y, LOG_X, CROSS_ENTROPY], [0, 0, 0, 0.9], config, np.random.default_rng(5))

    assert offspring == (CROSS_ENTROPY,) * 4


def test_elites_come_first_unchanged_by_fitness_then_size_then_place() -> None:
    minus_one, one = LossTree.constant(-1), LossTree.constant(1)
    population = [X, CROSS_ENTROPY, LOG_X, minus_one, Y, one]
    fitness = [0.1, 0.9, 0.5, 0.5, 0.95, 0.5]
    config = GeneticConfig(population_size=6, num_elites=5)

    offspring = next_generation(population, fitness, config, np.random.default_rng(6))

    assert offspring[:5] == (Y, CROSS_ENTROPY, minus_one, one, LOG_X)
    assert len(offspring) == 6


@pytest.mark.parametrize(("population_size", "num_elites"), [(1, 0), (2, 1), (7, 0), (80, 6), (81, 6)])
def test_a_generation_is_exactly_full(population_size: int, num_elites: int) -> None:
    config = GeneticConfig(population_size=population_size, num_elites=num_elites)

    assert len(breed_once(config, seed=7)) == population_size


def test_children_beyond_the_cap_are_discarded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    config = GeneticConfig(max_nodes=CROSS_ENTROPY.size, expand_rate=0.2, num_elites=2)
    children: list[LossTree] = []

    def record(tree: LossTree, config: GeneticConfig, rng: np.random.Generator) -> LossTree:
        children.append(mutate(tree, config, rng))
        return children[-1]

    monkeypatch.setattr(reproduction, "mutate", record)

    offspring = next_generation([CROSS_ENTROPY] * 80, [0.5] * 80, config, np.random.default_rng(8))
    fitting = [child for child in children if child.size <= CROSS_ENTROPY.size]

    assert len(fitting) < len(children)
    assert list(offspring) == [CROSS_ENTROPY] * 2 + fitting[:78]
    assert len(fitting) - 78 in (0, 1)


def test_without_a_cap_trees_grow() -> None:
    config = GeneticConfig(max_nodes=None, expand_rate=0.5, collapse_rate=0)
    rng = np.random.default_rng(9)
    population = initial_population(config, rng)

    for _ in range(8):
        population = next_generation(population, [tree.size for tree in population], config, rng)

    assert max(tree.size for tree in population) > 64


def test_even_without_a_cap_every_tree_is_read_back_from_its_text() -> None:
    config = dataclasses.replace(NO_MUTATION, max_nodes=None, crossover_rate=1.0, population_size=10, num_elites=2)
    deep = LossTree((*[Node("log")] * (MAX_NODES - 3), Node("add"), Node("x"), Node("y")))

    population = next_generation([deep] * 10, [0.5] * 10, config, np.random.default_rng(13))

    assert population[:2] == (deep, deep)
    assert len({tree.size for tree in population}) > 2
    assert all(LossTree.parse(str(tree)) == tree for tree in population)


@settings(max_examples=25)
@given(seed=SEEDS, selection=st.sampled_from(["roulette", "rank", "tournament"]), max_nodes=st.integers(3, 64))
def test_the_same_seed_breeds_the_same_valid_population(seed: int, selection: str, max_nodes: int) -> None:
    config = GeneticConfig(population_size=20, num_elites=2, selection=selection, max_nodes=max_nodes)  # type: ignore[arg-type]

    population = breed_once(config, seed)

    assert population == breed_once(config, seed)
    assert len(population) == 20
    assert all(LossTree(tree.nodes) == tree and tree.size <= max_nodes for tree in population)


def test_another_seed_breeds_another_population() -> None:
    assert breed_once(GeneticConfig(), seed=1) != breed_once(GeneticConfig(), seed=2)


@pytest.mark.parametrize(("num_trees", "num_values"), [(4, 3), (3, 3), (3, 4), (5, 4), (0, 0)])
def test_rejects_a_population_of_another_size(num_trees: int, num_values: int) -> None:
    config = GeneticConfig(population_size=4, num_elites=1)

    with pytest.raises(
        ConfigurationError, match=rf"Got {num_trees} candidates .* \({num_values},\).*population_size = 4"
    ):
        next_generation([X] * num_trees, [0.5] * num_values, config, np.random.default_rng(10))


def test_rejects_a_tree_beyond_the_cap() -> None:
    config = GeneticConfig(population_size=2, num_elites=1, max_nodes=3)

    with pytest.raises(ConfigurationError, match="a tree of 4 nodes; expected at most max_nodes = 3"):
        next_generation([X, CROSS_ENTROPY], [0.5, 0.5], config, np.random.default_rng(11))


def test_gives_up_where_nothing_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "_MAX_DRAWS_PER_PLACE", 5)
    tree = CROSS_ENTROPY
    for _ in range(4):
        tree = LossTree.of("add", tree, tree)
    config = dataclasses.replace(
        NO_MUTATION, crossover_rate=0.0, expand_rate=1.0, population_size=2, num_elites=1, max_nodes=tree.size
    )

    with pytest.raises(ConfigurationError, match=r"Only 1 of 2 places.*raise max_nodes or lower expand_rate"):
        next_generation([tree, tree], [0.5, 0.5], config, np.random.default_rng(12))
