"""A search whose candidates are asked for and told by hand, for every strategy."""

import pytest

from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree, canonical
from glojax.search.logs import EventLog
from glojax.search.loop import Search
from glojax.strategies import RandomSearch
from tests.search.fakes import FakeEvaluator
from tests.search.searches import CONFIG, STRATEGIES, by_size, evaluator, for_every_strategy, log_of


def evaluation_of(tree: LossTree) -> Evaluation:
    return Evaluation(canonical(tree), by_size(tree), "trained", 1)


@for_every_strategy
@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_a_search_by_hand_tells_in_the_order_of_asking_or_with_a_log_as_it_is_told(
    name: str, is_asynchronous: bool
) -> None:
    log = EventLog() if is_asynchronous else None
    search = Search(STRATEGIES[name](), evaluator(1), log=log)
    expected: list[Evaluation] = []
    while len(expected) < 30:
        trees = search.ask(4)
        assert 1 <= len(trees) <= 4
        evaluations = [evaluation_of(tree) for tree in trees]
        for tree, evaluation in list(zip(trees, evaluations, strict=True))[::-1]:
            search.tell(tree, evaluation)
        expected += evaluations[::-1] if is_asynchronous else evaluations
    assert search.evaluations == expected
    if log is None:
        return
    # The same by hand from the log: never more than was asked for, nor more than the log has.
    again = Search(STRATEGIES[name](), evaluator(1), log=log_of(log.events))
    while len(again.evaluations) < len(expected):
        asked = again.ask(3)
        assert len(asked) <= 3
        for tree in asked:
            again.tell(tree, evaluation_of(tree))
    assert again.evaluations == expected


def test_a_search_by_hand_and_one_by_itself_can_take_turns() -> None:
    search = Search(STRATEGIES["random"](), evaluator(2))
    first, second, third = search.ask(3)
    search.tell(second, evaluation_of(second))
    assert search.evaluations == []
    search.run(10)
    assert [one.tree for one in search.evaluations[:3]] == [canonical(tree) for tree in (first, second, third)]
    assert len(search.evaluations) == 10


def test_a_candidate_is_told_once_and_only_if_it_was_asked_for() -> None:
    search = Search(RandomSearch(CONFIG, 1, initial=[LossTree.parse("x * y")] * 2), evaluator(1))
    tree, _, other = search.ask(3)
    with pytest.raises(ConfigurationError, match=r"x / y is not outstanding; tell a candidate that `ask` gave, once"):
        search.tell(LossTree.parse("x / y"), evaluation_of(tree))
    for _ in range(2):
        search.tell(tree, evaluation_of(tree))
    with pytest.raises(ConfigurationError, match=r"x \* y is not outstanding"):
        search.tell(tree, evaluation_of(tree))
    search.tell(other, evaluation_of(other))
    assert len(search.evaluations) == 3


def test_the_best_comes_first_and_of_equals_the_smaller_then_the_earlier() -> None:
    texts = ("log(y)", "x * y^2", "x * y", "x * sqrt(y)", "y * x", "x - y")
    search = Search(RandomSearch(CONFIG, 1, initial=[LossTree.parse(text) for text in texts]), FakeEvaluator())
    assert search.best is None
    search.run(1)
    assert search.best is None
    search.run(5)
    assert [one.expression for one in search.found] == ["x * y", "x - y", "x * y^2", "x * sqrt(y)", "log(y)"]
    assert search.best == search.found[0]
