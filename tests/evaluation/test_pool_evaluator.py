"""The stream of evaluations, with a pool that trains nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from glojax.errors import ConfigurationError, ExpressionError
from glojax.evaluation import Completed, Evaluation, FitnessRule, PoolEvaluator, TrainingJournal, evaluate
from glojax.evaluation.journal import crashed_result
from glojax.expressions import LossTree
from glojax.training import TrainingConfig, TrainResult
from tests.evaluation.fake_pool import STEPS, FakePool, scalar_result

CONFIG = TrainingConfig(num_steps=STEPS, batch_size=64, learning_rate=0.05)
TREES = [LossTree.parse(text) for text in ("x * log(y)", "log(y) - x / y", "x * sqrt(y)", "x + y^2")]
TWO_SEEDS = FitnessRule(seeds=(0, 1))


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
def evaluator(pool: FakePool) -> PoolEvaluator:
    return PoolEvaluator(pool, CONFIG, TWO_SEEDS)


def completed(evaluator: PoolEvaluator, number: int) -> list[Completed]:
    """Wait for so many evaluations."""
    done: list[Completed] = []
    while len(done) < number:
        done += evaluator.wait()
    assert len(done) == number
    return done


def test_each_evaluation_comes_with_its_ticket_as_soon_as_it_is_complete(evaluator: PoolEvaluator) -> None:
    trees = [TREES[0], LossTree.parse("log(y)"), TREES[1]]
    tickets = evaluator.submit(trees)
    assert len(set(tickets)) == 3
    ((first, lacking),) = evaluator.wait()
    assert (first, lacking) == (tickets[1], Evaluation(trees[1], None, "lacks_variable", 0))
    assert evaluator.wait() == []
    ((second, known),) = evaluator.wait()
    assert (second, known.tree, known.status, known.steps) == (tickets[0], TREES[0], "trained", 2 * STEPS)
    assert known.fitness == pytest.approx(0.04 + 0.0005 + 0.025)
    (*_, third) = completed(evaluator, 1)
    assert third.ticket == tickets[2]
    assert evaluator.wait() == []


def test_tickets_are_not_given_twice(evaluator: PoolEvaluator) -> None:
    tickets = [*evaluator.submit(TREES), *evaluator.submit(TREES), *evaluator.submit(TREES[:1], FitnessRule())]
    evaluator.cancel()
    tickets += evaluator.submit(TREES)
    assert len(set(tickets)) == len(tickets)


def test_evaluations_come_in_the_order_of_the_trees(pool: FakePool, evaluator: PoolEvaluator) -> None:
    shorter = FitnessRule(num_steps=3)
    evaluations = evaluate(evaluator, [*TREES, TREES[0]], [None, shorter, None, shorter, TWO_SEEDS])
    assert [evaluation.tree for evaluation in evaluations] == [*TREES, TREES[0]]
    assert [evaluation.status for evaluation in evaluations] == ["trained"] * 4 + ["cached"]
    assert [len(evaluation.trials) for evaluation in evaluations] == [2, 1, 2, 1, 2]
    assert {training.context for training in pool.submitted} == {
        "10 steps, then ('validation',)",
        "3 steps, then ('validation',)",
    }
    assert evaluate(evaluator, []) == []


@pytest.mark.parametrize("finished", [False, True])
def test_equal_functions_are_trained_once(pool: FakePool, evaluator: PoolEvaluator, finished: bool) -> None:
    (ticket,) = evaluator.submit(TREES[:1])
    done = completed(evaluator, 1) if finished else []
    others = evaluator.submit([LossTree.parse("log(y) * x"), LossTree.parse("x * log(y) + 0")])
    done += completed(evaluator, 3 - len(done))
    assert len(pool.submitted) == 2
    assert [one.ticket for one in done] == [ticket, *others]
    first, *again = [one.evaluation for one in done]
    assert first.status == "trained"
    assert again == [first.again()] * 2


@pytest.mark.parametrize("trained", [0, 1, 3, 4])
def test_results_in_the_journal_are_not_trained(pool: FakePool, trained: int) -> None:
    other = FakePool()
    expected = evaluate(PoolEvaluator(other, CONFIG, TWO_SEEDS), TREES[:2])
    trainings = other.submitted
    part = TrainingJournal()
    for training in trainings[:trained]:
        part.add(training, scalar_result(0.125, steps=7))
    heard: list[TrainResult] = []
    evaluator = PoolEvaluator(pool, CONFIG, TWO_SEEDS, journal=part, on_training=heard.append)
    evaluations = evaluate(evaluator, TREES[:2])
    assert pool.submitted == trainings[trained:]
    assert len(heard) == 4
    scores = [score for evaluation in evaluations for score in evaluation.scores("validation")]
    all_trained = [score for evaluation in expected for score in evaluation.scores("validation")]
    assert scores == [0.125] * trained + all_trained[trained:]
    assert evaluations[1].steps == sum(7 if index < trained else STEPS for index in (2, 3))
    assert len(part) == 4


def test_evaluators_may_share_a_journal(pool: FakePool, tmp_path: Path) -> None:
    path = tmp_path / "trainings.jsonl"
    expected = evaluate(PoolEvaluator(pool, CONFIG, TWO_SEEDS, journal=TrainingJournal(path)), TREES)
    assert len(pool.submitted) == 8
    assert evaluate(PoolEvaluator(pool, CONFIG, TWO_SEEDS, journal=TrainingJournal(path)), TREES) == expected
    assert len(pool.submitted) == 8


def test_a_training_that_two_rules_need_at_once_is_done_once(pool: FakePool, evaluator: PoolEvaluator) -> None:
    (first,) = evaluator.submit(TREES[:1], FitnessRule(seeds=(0, 1)))
    (second,) = evaluator.submit(TREES[:1], FitnessRule(seeds=(2, 1)))
    assert [training.seed for training in pool.submitted] == [0, 1, 2]
    evaluations = dict(completed(evaluator, 2))
    assert evaluations[first].scores("validation") == [0.065, 0.066]
    assert evaluations[second].scores("validation") == [0.067, 0.066]
    assert [evaluations[ticket].status for ticket in (first, second)] == ["trained", "trained"]


def test_rates_reach_the_pool_as_float32(pool: FakePool, evaluator: PoolEvaluator) -> None:
    (evaluation,) = evaluate(evaluator, TREES[:1], FitnessRule(learning_rates=(0.1, 0.3)))
    assert [training.learning_rate for training in pool.submitted] == [0.10000000149011612, 0.30000001192092896]
    assert evaluation.learning_rate == 0.3
    assert [trial.learning_rate for trial in evaluation.trials] == [0.1, 0.3]


def test_a_rule_with_other_steps_or_splits_trains_anew(pool: FakePool) -> None:
    evaluator = PoolEvaluator(pool, CONFIG)
    for rule in (None, FitnessRule(num_steps=3), FitnessRule(splits=("validation", "test")), FitnessRule()):
        (evaluation,) = evaluate(evaluator, TREES[:1], rule)
    assert evaluation.status == "cached"
    assert [training.context for training in pool.submitted] == [
        "10 steps, then ('validation',)",
        "3 steps, then ('validation',)",
        "10 steps, then ('validation', 'test')",
    ]


def test_unknown_fitness_is_none() -> None:
    results: dict[LossTree, TrainResult] = {
        TREES[0]: scalar_result(0.0),
        TREES[1]: scalar_result(0.0, finite=False, steps=3),
        TREES[2]: crashed_result(("validation",)),
    }
    evaluator = PoolEvaluator(FakePool(lambda training: results[training.tree]), CONFIG)
    evaluations = evaluate(evaluator, [*TREES[:3], LossTree.parse("x + 1")])
    assert [(evaluation.status, evaluation.fitness, evaluation.steps) for evaluation in evaluations] == [
        ("trained", 0.0, STEPS),
        ("non_finite", None, 3),
        ("crashed", None, 0),
        ("lacks_variable", None, 0),
    ]
    assert [evaluation.learning_rate for evaluation in evaluations] == [0.05, 0.05, 0.05, None]


@pytest.mark.parametrize(("size", "seeds", "room"), [(8, 1, 8), (8, 2, 4), (8, 3, 3), (1, 3, 1), (0, 3, 0)])
def test_room_counts_losses(size: int, seeds: int, room: int) -> None:
    evaluator = PoolEvaluator(FakePool(size=size), CONFIG, FitnessRule(seeds=tuple(range(seeds))))
    assert evaluator.room == room


def test_room_shrinks_with_what_is_submitted() -> None:
    evaluator = PoolEvaluator(FakePool(size=4), CONFIG, TWO_SEEDS)
    rooms = [evaluator.room]
    for tree in TREES[:2]:
        evaluator.submit([tree])
        rooms.append(evaluator.room)
    completed(evaluator, 2)
    assert [*rooms, evaluator.room] == [2, 1, 0, 2]


def test_cancelling_keeps_what_ends_in_time_and_the_evaluator_goes_on(pool: FakePool, evaluator: PoolEvaluator) -> None:
    given_up = set(evaluator.submit(TREES))
    evaluator.cancel()
    assert len(evaluator.journal) == pool.size
    assert evaluator.wait() == []
    assert evaluator.room == 1
    tickets = evaluator.submit(TREES)
    done = dict(completed(evaluator, len(TREES)))
    assert set(done) == set(tickets)
    assert not given_up & set(tickets)
    assert [done[ticket].status for ticket in tickets] == ["trained"] * 4
    assert len(pool.submitted) == 16 - pool.size
    assert [done[ticket] for ticket in tickets] == evaluate(PoolEvaluator(FakePool(), CONFIG, TWO_SEEDS), TREES)


def raising(error: BaseException) -> Callable[..., TrainResult]:
    def fail(*arguments: object) -> TrainResult:
        raise error

    return fail


def test_a_journal_that_cannot_be_written_ends_the_evaluation(
    pool: FakePool, evaluator: PoolEvaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(evaluator.journal, "add", raising(OSError(28, "No space left on device")))
        pool.size = 0  # nothing is in progress when the evaluation is cancelled
        with pytest.raises(OSError, match="No space left on device"):
            evaluate(evaluator, TREES)
    assert pool.num_cancelled == 1
    assert all(evaluation.status == "trained" for evaluation in evaluate(evaluator, TREES))


def test_an_error_of_the_pool_cancels_the_evaluation() -> None:
    pool = FakePool(raising(KeyboardInterrupt()), size=0)
    with pytest.raises(KeyboardInterrupt):
        evaluate(PoolEvaluator(pool, CONFIG), TREES)
    assert pool.num_cancelled == 1


def test_a_text_is_no_tree_and_nothing_is_begun(pool: FakePool, evaluator: PoolEvaluator) -> None:
    with pytest.raises(ExpressionError, match=r"Got 'x \* log\(y\)'; expected a LossTree"):
        evaluator.submit([TREES[0], "x * log(y)"])  # type: ignore[list-item]
    assert pool.submitted == []
    assert evaluate(evaluator, TREES[:1])[0].status == "trained"


def test_a_configuration_that_does_not_fit_is_refused_when_the_evaluator_is_made(pool: FakePool) -> None:
    with pytest.raises(ConfigurationError, match="batch_size is 2000"):
        PoolEvaluator(pool, TrainingConfig(1, 2000, 0.1))


def test_every_result_that_an_evaluation_needs_is_told(pool: FakePool) -> None:
    heard: list[float] = []
    evaluator = PoolEvaluator(
        pool, CONFIG, TWO_SEEDS, on_training=lambda result: heard.append(float(result.scores["validation"]))
    )
    (evaluation,) = evaluate(evaluator, TREES[:1])
    assert heard == pytest.approx(evaluation.scores("validation"))
    evaluate(evaluator, TREES[:1])
    assert len(heard) == 2
