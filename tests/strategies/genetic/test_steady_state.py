import random

import numpy as np
import pytest
from glojax.genetic import GeneticConfig, SteadyState, initial_population
from glojax.genetic.reproduction import offspring
from hypothesis import given, settings
from hypothesis import strategies as st

CONFIG = GeneticConfig(population_size=6, num_elites=2)


def steady(seed: int = 0, config: GeneticConfig = CONFIG) -> SteadyState:
    return SteadyState(config, np.random.default_rng(seed))


def test_the_first_candidates_are_the_random_population() -> None:
    population = steady()
    assert tuple(population.draw() for _ in range(6)) == initial_population(CONFIG, np.random.default_rng(0))


def test_nothing_is_bred_before_the_random_population_has_entered() -> None:
    population = steady()
    for _ in range(6):
        population.draw()
    for number in (3, 0, 5, 1, 2, 4):
        assert population.draw() is None
        assert population.num_drawn == 6
        population.add(number, 0.5)
    assert population.draw() is not None


def test_both_children_of_a_pair_come_one_after_the_other() -> None:
    config = GeneticConfig(population_size=2, num_elites=0)
    population, rng = steady(1, config), np.random.default_rng(1)
    parents = initial_population(config, rng)
    assert (population.draw(), population.draw()) == parents
    for number in range(2):
        population.add(number, 0.5)
    children = [population.draw()]
    # Whatever enters meanwhile, the second child is of the same parents.
    population.add(2, 1e9)
    children.append(population.draw())
    assert children == list(offspring(parents, [0.5, 0.5], config, rng))


def test_the_oldest_leaves_unless_it_is_an_elite() -> None:
    population = steady()
    fitness = [0.1, 0.9, 0.0, 0.8, 0.2, 0.3]
    for number, value in enumerate(fitness):
        population.draw()
        population.add(number, value)
    assert population.members == (0, 1, 2, 3, 4, 5)
    left: list[int] = []
    for number, value in ((6, 0.0), (7, 0.85), (8, 0.1)):
        population.draw()
        before = set(population.members) | {number}
        population.add(number, value)
        left += before - set(population.members)
    # 3 was an elite until 7 came.
    assert left == [0, 2, 3]
    assert population.members == (1, 4, 5, 6, 7, 8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), rng=st.randoms(use_true_random=False))
def test_equal_calls_in_an_equal_order_give_equal_candidates(seed: int, rng: random.Random) -> None:
    first, again = steady(seed), steady(seed)
    out: list[int] = []
    for _ in range(80):
        if out and rng.random() < 0.5:
            number = out.pop(rng.randrange(len(out)))
            fitness = rng.choice([0.0, 0.5, 0.9])
            first.add(number, fitness)
            again.add(number, fitness)
        else:
            drawn = first.draw()
            assert drawn == again.draw()
            if drawn is not None:
                out.append(first.num_drawn - 1)
    assert first.members == again.members
    assert len(first.members) <= 6


def test_the_fittest_stay_whatever_comes() -> None:
    population = steady()
    rng = np.random.default_rng(3)
    fitness: list[float] = []
    for number in range(200):
        assert population.draw() is not None
        fitness.append(float(rng.random()))
        population.add(number, fitness[number])
        best = sorted(range(len(fitness)), key=lambda one: -fitness[one])[:2]
        assert set(best) <= set(population.members)
    assert len(population.members) == 6
    assert max(population.members[2:]) == 199


@pytest.mark.parametrize("selection", ["roulette", "rank", "tournament"])
def test_every_selection_breeds_from_a_population_without_fitness(selection: str) -> None:
    config = GeneticConfig(population_size=4, num_elites=1, selection=selection)  # type: ignore[arg-type]
    population = steady(0, config)
    for number in range(4):
        population.draw()
        population.add(number, 0.0)
    assert all(population.draw() is not None for _ in range(5))
