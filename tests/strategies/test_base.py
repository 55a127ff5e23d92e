import pytest

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.strategies import Batch
from tests.strategies.driving import evaluation

X, Y = LossTree.of("x"), LossTree.of("y")


def test_a_batch_is_asked_for_in_order_and_complete_when_all_is_told() -> None:
    batch = Batch([X, Y, X])
    assert (batch.ask(2), batch.ask(2), batch.ask(2)) == ((X, Y), (X,), ())
    for tree, fitness in ((Y, 0.1), (X, 0.2), (X, 0.3)):
        assert not batch.is_complete
        batch.tell(tree, evaluation(tree, fitness))
    assert batch.is_complete
    assert [told.fitness for told in batch.evaluations] == [0.2, 0.1, 0.3]


def test_an_empty_batch_is_complete() -> None:
    assert Batch([]).is_complete
    assert Batch([]).evaluations == []


def test_a_candidate_that_is_not_asked_for_yet_or_told_before_is_refused() -> None:
    batch = Batch([X, Y])
    with pytest.raises(ConfigurationError, match="the evaluation of x, which is not outstanding"):
        batch.tell(X, evaluation(X, 0.5))
    batch.ask(1)
    batch.tell(X, evaluation(X, 0.5))
    for tree in (X, Y):
        with pytest.raises(ConfigurationError, match=f"the evaluation of {tree}, which is not outstanding"):
            batch.tell(tree, evaluation(tree, 0.5))
