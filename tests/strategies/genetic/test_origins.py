"""How the candidates of a strategy were made."""

from dataclasses import replace

import numpy as np
import pytest

from glojax.expressions import LossTree, Origin
from glojax.strategies import GenerationalSearch, GeneticConfig, SteadyStateSearch, Traceable
from glojax.strategies.genetic.reproduction import breed
from tests.strategies.driving import ask_all, evaluation, fitness_of_text

FIRST, SECOND = LossTree.parse("x * log(y)"), LossTree.parse("x - y")
ALIKE = GeneticConfig(
    integer_step_rate=0.0, same_arity_rate=0.0, coefficient_rate=0.0, collapse_rate=0.0, expand_rate=0.0
)


def origins(config: GeneticConfig, number: int) -> list[tuple[LossTree, Origin]]:
    made: list[tuple[LossTree, Origin]] = []
    rng = np.random.default_rng(1)
    children = breed([FIRST, SECOND], [0.5, 0.5], config, rng, number, on_child=lambda *child: made.append(child))
    assert [child for child, _ in made] == children
    return made


def test_a_copy_comes_by_selection() -> None:
    for child, origin in origins(replace(ALIKE, crossover_rate=0.0), 20):
        assert origin == Origin("selection", (child,))


def test_a_child_that_was_changed_comes_by_mutation_of_one_parent() -> None:
    made = origins(GeneticConfig(crossover_rate=0.0), 200)
    assert {origin.making for _, origin in made} == {"selection", "mutation"}
    for child, origin in made:
        assert len(origin.parents) == 1
        assert (child in origin.parents) == (origin.making == "selection")


def test_crossover_has_two_parents_of_which_the_first_is_changed() -> None:
    made = origins(replace(ALIKE, crossover_rate=1.0), 40)
    assert {origin.making for _, origin in made} == {"crossover"}
    subtrees = {tree: {tree.subtree(index) for index in range(tree.size)} for tree in (FIRST, SECOND)}
    for child, origin in made:
        first, second = origin.parents
        assert child in {first.replace(index, part) for index in range(first.size) for part in subtrees[second]}
    both = origins(GeneticConfig(crossover_rate=1.0), 200)
    assert {origin.making for _, origin in both} == {"crossover", "crossover and mutation"}


@pytest.mark.parametrize("kind", [GenerationalSearch, SteadyStateSearch])
def test_a_strategy_knows_each_candidate_and_its_parents_came_before(kind: type[GenerationalSearch]) -> None:
    search = kind(GeneticConfig(population_size=10, num_elites=2), seed=0, initial=[FIRST])
    assert isinstance(search, Traceable)
    told: list[LossTree] = []
    for turn in range(4):
        asked = ask_all(search)
        for tree in asked:
            origin = search.origin_of(tree)
            if turn == 0:
                assert origin == Origin("given" if tree == FIRST else "random")
            assert set(origin.parents) <= set(told)
        for tree in asked:
            search.tell(tree, evaluation(tree, fitness_of_text(tree)))
        told += asked
    assert any(search.origin_of(tree).parents for tree in told)
