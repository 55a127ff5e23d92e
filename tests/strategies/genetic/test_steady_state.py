import numpy as np
import pytest

from glojax.expressions import LossTree
from glojax.strategies.genetic import GeneticConfig, SteadyStateSearch, breed, draw_trees
from tests.strategies.driving import digest_of, evaluation, rounds_of

CONFIG = GeneticConfig(population_size=6, num_elites=2)


def ask_one(search: SteadyStateSearch) -> LossTree:
    (tree,) = search.ask(1)
    return tree


def enter(search: SteadyStateSearch, fitness: float | None) -> None:
    """Ask for a candidate, and tell its fitness."""
    tree = ask_one(search)
    search.tell(tree, evaluation(tree, fitness))


def fitness_in(search: SteadyStateSearch) -> list[float | None]:
    """The fitness of the candidates in the population, in the order in which they entered."""
    return [fitness for _, fitness in search._population]


def test_the_first_candidates_are_the_random_population() -> None:
    search = SteadyStateSearch(CONFIG, seed=0)
    assert [ask_one(search) for _ in range(6)] == draw_trees(CONFIG, np.random.default_rng(0), 6)


def test_nothing_is_bred_before_the_random_population_has_entered() -> None:
    search = SteadyStateSearch(CONFIG, seed=0)
    trees = search.ask(6)
    for index in (3, 0, 5, 1, 2, 4):
        assert search.ask(6) == []
        search.tell(trees[index], evaluation(trees[index], 0.5))
    assert len(search.ask(6)) == 6


def test_both_children_of_a_pair_come_one_after_the_other() -> None:
    config = GeneticConfig(population_size=2, num_elites=0)
    search, rng = SteadyStateSearch(config, seed=1), np.random.default_rng(1)
    parents = draw_trees(config, rng, 2)
    assert search.ask(2) == parents
    for tree in parents:
        search.tell(tree, evaluation(tree, 0.5))
    children = [ask_one(search)]
    # The second child has the same parents, although another candidate enters before it is asked for.
    search.tell(children[0], evaluation(children[0], 1e9))
    children.append(ask_one(search))
    assert children == breed(parents, [0.5, 0.5], config, rng)


def test_it_breeds_from_the_candidates_that_have_entered_by_then() -> None:
    still = GeneticConfig(integer_step_rate=0, same_arity_rate=0, collapse_rate=0, expand_rate=0, crossover_rate=0)
    config = GeneticConfig(**(vars(still) | {"population_size": 3, "num_elites": 0}))
    x, y, one = LossTree.of("x"), LossTree.of("y"), LossTree.constant(1)
    search = SteadyStateSearch(config, 0, initial=[x, y, one])
    trees = search.ask(3)
    for tree, fitness in zip(trees, (0.0, 0.7, 0.0), strict=True):
        search.tell(tree, evaluation(tree, fitness))
    # Roulette selects only y, the one with a fitness, until all three are copies of it.
    for _ in range(10):
        assert ask_one(search) == y
        search.tell(y, evaluation(y, 0.7))


def test_no_more_candidates_are_outstanding_than_the_population_holds() -> None:
    search = SteadyStateSearch(CONFIG, seed=0)
    for _ in range(6):
        enter(search, 0.5)
    asked = search.ask(100)
    assert len(asked) == 6
    assert search.ask(100) == []
    for tree in asked[:2]:
        search.tell(tree, evaluation(tree, 0.5))
    assert len(search.ask(100)) == 2


def test_the_oldest_leaves_unless_it_is_an_elite() -> None:
    search = SteadyStateSearch(CONFIG, seed=0)
    for fitness in (0.1, 0.9, 0.0, 0.8, 0.2, 0.3):
        enter(search, fitness)
    assert fitness_in(search) == [0.1, 0.9, 0.0, 0.8, 0.2, 0.3]
    left: list[float | None] = []
    for fitness in (0.01, 0.85, 0.11):
        before = {*fitness_in(search), fitness}
        enter(search, fitness)
        left += before - set(fitness_in(search))
    # 0.8 was an elite until 0.85 came.
    assert left == [0.1, 0.0, 0.8]
    assert fitness_in(search) == [0.9, 0.2, 0.3, 0.01, 0.85, 0.11]


def test_the_fittest_stay_whatever_comes() -> None:
    search = SteadyStateSearch(CONFIG, seed=0)
    rng = np.random.default_rng(3)
    fitness: list[float] = []
    for _ in range(200):
        fitness.append(float(rng.random()))
        enter(search, fitness[-1])
        assert set(sorted(fitness)[-2:]) <= set(fitness_in(search))
    assert len(fitness_in(search)) == 6
    assert fitness_in(search)[-1] == fitness[-1]


def test_unknown_fitness_is_no_elite_while_another_is_known() -> None:
    search = SteadyStateSearch(CONFIG, seed=0)
    for fitness in (0.1, 0.2, None, None, None, None, None, None, None, None):
        enter(search, fitness)
    assert fitness_in(search) == [0.1, 0.2, None, None, None, None]


@pytest.mark.parametrize("selection", ["roulette", "rank", "tournament"])
@pytest.mark.parametrize("fitness", [0.0, None])
def test_every_selection_breeds_from_a_population_without_fitness(selection: str, fitness: float | None) -> None:
    config = GeneticConfig(population_size=4, num_elites=1, selection=selection)  # type: ignore[arg-type]
    search = SteadyStateSearch(config, seed=0)
    for _ in range(12):
        enter(search, fitness)
    assert fitness_in(search) == [fitness] * 4


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GeneticConfig(), "2f8a8a8849cb20a7"),
        (GeneticConfig(selection="rank", max_nodes=20), "cd4b60ef0e645198"),
        (GeneticConfig(selection="tournament", max_nodes=None, num_elites=0), "191a80cb3755961a"),
    ],
    ids=["roulette", "rank", "tournament"],
)
def test_the_first_candidates_stay_the_same_from_version_to_version(config: GeneticConfig, expected: str) -> None:
    assert digest_of(rounds_of(SteadyStateSearch(config, seed=3), 5)) == expected
