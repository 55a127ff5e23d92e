"""The constraint that candidates are new shapes, and the strategy whose parents come from all of them."""

from dataclasses import replace
from functools import partial

import pytest

from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation, shape_of
from glojax.expressions import LossTree
from glojax.strategies import (
    Constraint,
    GenerationalSearch,
    GeneticConfig,
    NewShapes,
    RandomSearch,
    ShapeSearch,
    SteadyStateSearch,
)
from glojax.strategies.genetic import reproduction
from tests.strategies.driving import ask_all, fitness_of_text, tell_all

CONFIG = GeneticConfig(population_size=20, selection="tournament", tournament_size=5, initial_depth=3)
shape = partial(shape_of, num_classes=10)


def each_once(known: set[LossTree], fits: Constraint) -> Constraint:
    """Return the constraint of trees that fit and are not known yet; it adds them."""

    def is_new(tree: LossTree) -> bool:
        new = fits(tree) and tree not in known
        known.update([tree] * new)
        return new

    return is_new


@pytest.mark.parametrize("strategy", [RandomSearch, ShapeSearch])
def test_no_draw_is_wasted(strategy: type[RandomSearch] | type[ShapeSearch]) -> None:
    shapes = NewShapes(shape)
    search = strategy(CONFIG, 0, constraint=shapes)
    asked: list[LossTree] = []
    for _ in range(3):
        trees = search.ask(20)
        tell_all(search, trees, fitness_of_text)
        asked += trees
    assert len({shape(tree).fingerprint for tree in asked}) == len(asked) == 60
    assert all(shape(tree).is_trainable for tree in asked)
    assert shapes.draws["new"] >= 60
    assert min(shapes.draws[name] for name in ("lacks_variable", "known", "gradient")) > 0


@pytest.mark.parametrize("strategy", [RandomSearch, ShapeSearch])
def test_a_search_that_runs_out_of_shapes_ends_with_what_it_has(
    strategy: type[RandomSearch] | type[ShapeSearch],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(reproduction, "_MAX_DRAWS_PER_CANDIDATE", 100)
    known = set[LossTree]()
    is_one_of_a_few = each_once(known, lambda tree: tree.size <= 2)
    search = strategy(replace(CONFIG, initial_depth=1), 0, constraint=is_one_of_a_few)
    asked: list[LossTree] = []
    while trees := search.ask(20):
        tell_all(search, trees, fitness_of_text)
        asked += trees
    assert set(asked) == known
    assert len(asked) == len(known) > 3
    assert caplog.text.count("The search ends here.") == 1
    assert search.ask(1) == []


def test_a_generation_that_cannot_be_bred_ends_the_search(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reproduction, "_MAX_DRAWS_PER_CANDIDATE", 100)
    known = set[LossTree]()
    is_one_of_fifty = each_once(known, lambda tree: len(known) < 50)
    search = GenerationalSearch(replace(CONFIG, num_elites=1), 0, constraint=is_one_of_fifty)
    asked: list[int] = []
    while trees := search.ask(20):
        tell_all(search, trees, fitness_of_text)
        asked.append(len(trees))
    assert asked == [20, 20]
    assert caplog.text.count("The search ends here.") == 1
    assert not search.ask(1)


def test_a_search_without_a_single_candidate_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "_MAX_DRAWS_PER_CANDIDATE", 5)
    with pytest.raises(ConfigurationError, match="Only 0 of 1 candidates"):
        RandomSearch(CONFIG, 0, constraint=lambda tree: False).ask(1)
    with pytest.raises(ConfigurationError, match="Only 0 of 20 candidates"):
        ShapeSearch(CONFIG, 0, constraint=lambda tree: False)


def test_the_shortest_text_stands_for_all() -> None:
    shapes = NewShapes(shape)
    long, short, longer = (LossTree.parse(text) for text in ("x * log(y) + 3 * y", "x * log(y)", "x * log(y) + 1 + x"))
    assert [shapes(tree) for tree in (long, short, longer, long)] == [True, False, False, False]
    assert shapes.shortest(long) == shapes.shortest(longer) == short
    assert shapes.shortest(LossTree.parse("x * y")) == LossTree.parse("x * y")


def test_what_does_not_meet_the_constraint_is_not_known() -> None:
    shapes = NewShapes(shape, lambda tree: tree.size < 5)
    assert not shapes(LossTree.parse("x * log(y) + 1"))
    assert shapes(LossTree.parse("x * log(y)"))
    assert shapes.draws == {"constraint": 1, "new": 1}


def test_the_archive_forgets_nobody() -> None:
    config = GeneticConfig(population_size=4, num_elites=0)
    sizes = {}
    for strategy in (ShapeSearch, SteadyStateSearch):
        search = strategy(config, 0)
        for _ in range(6):
            tell_all(search, ask_all(search), fitness_of_text)
        sizes[strategy] = len(search._population)
    assert sizes == {ShapeSearch: 24, SteadyStateSearch: 4}


def test_the_best_of_the_rejected_are_parents_where_none_is_trained() -> None:
    still = replace(CONFIG, crossover_rate=0, expand_rate=0, collapse_rate=0, same_arity_rate=0, integer_step_rate=0)
    search = ShapeSearch(still, 0)
    trees = search.ask(20)
    for tree in trees:
        score = 0.3 if tree.uses("log") else 0.1
        search.tell(tree, Evaluation(tree, None, "rejected", 20, rejected_by="rung", rung_fitness=score))
    with_log = sum(tree.uses("log") for tree in trees)
    assert 0 < with_log < 10
    assert sum(tree.uses("log") for tree in search.ask(20)) > 10
