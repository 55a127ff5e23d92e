"""The tuning of coefficients, most of it with a stand-in that trains nothing."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count

import jax
import numpy as np
import pytest

from glojax.datasets import load_dataset
from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation, Evaluator, LocalEvaluator, training_devices
from glojax.expressions import LossTree
from glojax.search.logs import EventLog
from glojax.search.loop import rank
from glojax.search.tuning import Tuned, TuningRecord, tune
from glojax.strategies import TuningConfig
from glojax.strategies.coefficients import default_population_size
from glojax.training import TrainingConfig
from tests.compilation import counted_compilations
from tests.linear_network import LinearNetwork
from tests.search.fakes import STEPS, FakeEvaluator

BAIKAL, CROSS_ENTROPY, SUM = "log(y) - x / y", "x * log(y)", "x + log(y)"
#: Of 6, 4 and 4 coefficients, so many members has each generation of each.
MEMBERS = {BAIKAL: 9, CROSS_ENTROPY: 8, SUM: 8}
CONFIG = TuningConfig(generations=4)

Fitness = Callable[[LossTree], float | None]


def near_two(tree: LossTree) -> float | None:
    """Return 1 where every coefficient is 2, less elsewhere; None where most are negative."""
    coefficients = np.array(tree.coefficients)
    return None if np.mean(coefficients < 0) > 0.5 else round(1 / (1 + float(np.sum((coefficients - 2) ** 2))), 6)


def in_steps(tree: LossTree) -> float | None:
    """Return a fitness as coarse as the accuracy on a few images."""
    fitness = near_two(tree)
    return None if fitness is None else round(fitness, 1)


def half_as_good(tree: LossTree) -> float | None:
    """Return 0.9 for a loss without coefficients, and less than half for others."""
    fitness = near_two(tree)
    return 0.9 if set(tree.coefficients) == {1} else fitness and fitness / 2


class Tuning:
    """A tuning with all that it reported."""

    def __init__(
        self,
        losses: Sequence[str],
        fitness: Fitness = near_two,
        config: TuningConfig = CONFIG,
        seed: int = 0,
        evaluator: Evaluator | None = None,
        log: EventLog | None = None,
    ):
        self.evaluator = FakeEvaluator(fitness)
        self.evaluations: list[tuple[Evaluation, int]] = []
        self.records: list[TuningRecord] = []
        self.tuned = tune(
            [LossTree.parse(loss) for loss in losses],
            evaluator or self.evaluator,
            config,
            seed,
            log=log,
            on_evaluation=lambda evaluation, generation: self.evaluations.append((evaluation, generation)),
            on_record=lambda record: self.records.append(replace(record, seconds=0.0)),
        )

    def of(self, loss: str) -> tuple[Tuned, list[TuningRecord]]:
        """What came of one loss."""
        (tuned,) = (one for one in self.tuned if str(one.loss) == loss)
        return tuned, [record for record in self.records if record.loss == loss]


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    return Tuning([BAIKAL, CROSS_ENTROPY])


def test_tuning_finds_better_coefficients() -> None:
    (tuned,) = Tuning([CROSS_ENTROPY], config=TuningConfig(generations=40)).tuned
    assert tuned.start.fitness == 0.2
    assert (tuned.best.fitness or 0) > 0.9
    np.testing.assert_allclose(tuned.best.tree.coefficients, 2, atol=0.4)


@pytest.mark.parametrize(
    "fitness",
    [lambda tree: 0.5, lambda tree: None, half_as_good],
    ids=["all equal", "none trained", "start best"],
)
def test_where_no_member_is_better_the_untuned_loss_is_the_best(fitness: Fitness) -> None:
    (tuned,) = Tuning([CROSS_ENTROPY], fitness).tuned
    assert tuned.best == tuned.start
    assert (tuned.best.expression, tuned.best.fitness) == (CROSS_ENTROPY, fitness(LossTree.parse(CROSS_ENTROPY)))
    assert len(tuned.found) == 4 * 8


def test_a_loss_is_tuned_alike_whatever_is_tuned_beside_it() -> None:
    losses = [BAIKAL, CROSS_ENTROPY, SUM]
    alone = {loss: Tuning([loss]).of(loss) for loss in losses}
    for order in (losses, losses[::-1]):
        together = Tuning(order)
        assert [str(tuned.loss) for tuned in together.tuned] == order
        assert {loss: together.of(loss) for loss in losses} == alone
    assert alone[CROSS_ENTROPY][0].found[0].fitness != alone[SUM][0].found[0].fitness


def test_all_losses_are_trained_as_one_population_a_generation(tuning: Tuning) -> None:
    assert {loss: default_population_size(k) for loss, k in ((BAIKAL, 6), (CROSS_ENTROPY, 4), (SUM, 4))} == MEMBERS
    assert tuning.evaluator.calls == [2, 17, 17, 17, 17]
    assert Counter(generation for _, generation in tuning.evaluations) == {0: 2, 1: 17, 2: 17, 3: 17, 4: 17}


def test_a_loss_that_ends_early_is_not_trained_on() -> None:
    config = TuningConfig(generations=6, patience=2)
    # Better with each member, except cross-entropy, which is never better than at first.
    better = count(1)
    tuning = Tuning([BAIKAL, CROSS_ENTROPY], lambda tree: next(better) / 100 if tree.uses("divide") else 0.5, config)
    assert tuning.evaluator.calls == [2, 17, 17, 17, 9, 9, 9]
    assert [tuned.generations for tuned in tuning.tuned] == [6, 3]
    baikal, cross_entropy = (tuned.stop_reason for tuned in tuning.tuned)
    assert baikal == "generations: 6"
    assert cross_entropy.startswith("stagnation")
    assert [record.generation for record in tuning.of(CROSS_ENTROPY)[1]] == [1, 2, 3]


def test_the_seed_decides_everything(tuning: Tuning) -> None:
    again, other = Tuning([BAIKAL, CROSS_ENTROPY]), Tuning([BAIKAL, CROSS_ENTROPY], seed=1)
    assert (again.tuned, again.records, again.evaluations) == (tuning.tuned, tuning.records, tuning.evaluations)
    for loss in (BAIKAL, CROSS_ENTROPY):
        ours, theirs = ({one.expression for one in run.of(loss)[0].found} for run in (tuning, other))
        assert not ours & theirs


def test_a_loss_of_which_no_member_can_be_trained_is_given_up() -> None:
    config = TuningConfig(generations=9)
    tuning = Tuning([BAIKAL, CROSS_ENTROPY], lambda tree: near_two(tree) if tree.uses("divide") else None, config)
    assert tuning.evaluator.calls == [2, 17, 17, 17, 17, 17, 9, 9, 9, 9]
    tuned, records = tuning.of(CROSS_ENTROPY)
    assert tuned.generations == 5
    assert tuned.stop_reason.startswith("failure: no member of 5 generations")
    assert [record.non_finite for record in records] == [8] * 5
    assert {(one.best_fitness, one.best_so_far, one.best_expression) for one in records} == {
        (None, None, CROSS_ENTROPY)
    }


def test_tuning_outlives_generations_without_a_member_that_can_be_trained() -> None:
    number = count(1)
    # The loss itself is the first, and four generations of 8 follow.
    tuning = Tuning([CROSS_ENTROPY], lambda tree: 0.5 if next(number) > 33 else None, TuningConfig(generations=7))
    assert [record.trained for record in tuning.records] == [0, 0, 0, 0, 8, 8, 8]
    assert tuning.tuned[0].stop_reason == "generations: 7"
    assert tuning.tuned[0].best.fitness == 0.5
    # Nothing was learnt from the first four: mean and step size stay, and only the draws differ.
    assert len({record.sigma for record in tuning.records[:4]}) == 1
    assert tuning.records[0].sigma == pytest.approx(1.5)
    assert len({one.expression for one in tuning.tuned[0].found}) == 7 * 8


@pytest.mark.parametrize("fitness", [near_two, in_steps])
def test_each_generation_of_each_loss_is_summed_up(fitness: Fitness) -> None:
    tuning = Tuning([BAIKAL, CROSS_ENTROPY], fitness)
    assert [(record.generation, record.loss) for record in tuning.records] == [
        (generation, loss) for generation in (1, 2, 3, 4) for loss in (BAIKAL, CROSS_ENTROPY)
    ]
    for loss in (BAIKAL, CROSS_ENTROPY):
        mine = [one for one in tuning.evaluations if one[0].tree.uses("divide") == ("/" in loss)]
        for record in tuning.of(loss)[1]:
            members = [evaluation for evaluation, generation in mine if generation == record.generation]
            statuses = Counter(evaluation.status for evaluation in members)
            assert len(members) == MEMBERS[loss]
            assert (record.trained, record.non_finite, record.cached) == (
                statuses["trained"],
                statuses["non_finite"],
                0,
            )
            assert record.trained + record.non_finite == len(members)
            assert record.candidate_steps == STEPS * len(members)
            known = [evaluation.fitness for evaluation in members if evaluation.fitness is not None]
            assert record.best_fitness == max(known, default=None)
            assert record.median_fitness == pytest.approx(np.median(known), abs=1e-6)
            before = [evaluation for evaluation, generation in mine if generation <= record.generation]
            best = min(before, key=lambda evaluation: rank(evaluation)[0])
            assert (record.best_so_far, record.best_expression) == (best.fitness, best.expression)
            assert record.sigma > 0
            assert record.condition_number >= 1


def test_the_best_so_far_never_falls_and_counts_the_untuned_loss(tuning: Tuning) -> None:
    for loss in (BAIKAL, CROSS_ENTROPY):
        tuned, records = tuning.of(loss)
        course = [record.best_so_far or 0 for record in records]
        assert course == sorted(course)
        assert (tuned.start.fitness or 0) <= course[0]
        assert course[-1] == tuned.best.fitness == max(one.fitness or 0 for one in (tuned.start, tuned.found[0]))
    untuned_best = Tuning([CROSS_ENTROPY], lambda tree: 0.9 if set(tree.coefficients) == {1} else 0.1)
    assert {(one.best_so_far, one.best_expression) for one in untuned_best.records} == {(0.9, CROSS_ENTROPY)}


def test_only_the_last_generation_of_a_loss_says_why_it_ended(tuning: Tuning) -> None:
    for loss in (BAIKAL, CROSS_ENTROPY):
        tuned, records = tuning.of(loss)
        assert [record.stop_reason for record in records] == [None, None, None, tuned.stop_reason]
        assert (tuned.stop_reason, tuned.generations) == ("generations: 4", 4)


def test_every_member_is_found_the_best_first_and_of_equals_the_latest() -> None:
    tuning = Tuning([CROSS_ENTROPY], in_steps)
    (tuned,) = tuning.tuned
    start, *members = (evaluation for evaluation, _ in tuning.evaluations)
    latest_first = members[::-1]
    assert tuned.found == sorted(latest_first, key=lambda evaluation: rank(evaluation)[0])
    assert len({one.fitness for one in tuned.found}) < len(tuned.found) == 4 * 8
    assert tuned.start == start


def test_what_is_known_is_not_trained_again() -> None:
    tuning = Tuning([CROSS_ENTROPY, CROSS_ENTROPY])
    for first, second in zip(tuning.records[::2], tuning.records[1::2], strict=True):
        assert (first.cached, second.cached, second.trained, second.candidate_steps) == (0, 8, 0, 0)
        assert (first.best_fitness, first.sigma) == (second.best_fitness, second.sigma)


def test_only_the_independent_coefficients_are_tuned_if_asked_for() -> None:
    tuning = Tuning([BAIKAL], config=TuningConfig(generations=1, coefficients="independent"))
    assert tuning.tuned[0].num_coefficients == 3
    assert len(tuning.tuned[0].found) == default_population_size(3)
    for one in tuning.tuned[0].found:
        assert sum(coefficient != 1 for coefficient in one.tree.coefficients) == 3


@pytest.mark.parametrize("loss", ["log(y)", "x - 3"])
def test_a_loss_that_lacks_a_variable_is_refused_before_anything_is_trained(loss: str) -> None:
    evaluator = FakeEvaluator()
    with pytest.raises(ConfigurationError, match=r"Cannot tune .*: it lacks"):
        tune([LossTree.parse(text) for text in (BAIKAL, loss)], evaluator, CONFIG, 0)
    assert evaluator.calls == []


def test_with_a_log_a_tuning_is_the_same_and_is_replayed(tuning: Tuning) -> None:
    log = EventLog()
    asynchronous = Tuning([BAIKAL, CROSS_ENTROPY], evaluator=FakeEvaluator(near_two, room=3, next_done=max), log=log)
    # Members of a generation are told as they complete; what is learnt from all of them is the same.
    assert asynchronous.records == tuning.records
    assert [one.best for one in asynchronous.tuned] == [one.best for one in tuning.tuned]
    assert asynchronous.evaluations != tuning.evaluations
    replayed = Tuning([BAIKAL, CROSS_ENTROPY], evaluator=FakeEvaluator(near_two, room=9), log=log)
    assert (replayed.evaluations, replayed.tuned) == (asynchronous.evaluations, asynchronous.tuned)


#: The trainer that tests/evaluation has, too: it is compiled once for all.
TRAINING = TrainingConfig(num_steps=10, batch_size=64, learning_rate=0.05)


def trainer(num_devices: int) -> LocalEvaluator:
    return LocalEvaluator(LinearNetwork, load_dataset("digits"), TRAINING, devices=training_devices(num_devices))


def test_nothing_compiles_once_losses_of_as_many_coefficients_were_tuned() -> None:
    with counted_compilations() as any_at_all:
        jax.jit(lambda: 0)()
    assert any_at_all
    evaluator = trainer(num_devices=2)
    Tuning(["x * y", CROSS_ENTROPY, BAIKAL], config=TuningConfig(generations=1), evaluator=evaluator)
    # As many coefficients, but trees of other sizes.
    config = TuningConfig(generations=3, coefficients="independent")
    with counted_compilations() as compilations:
        tuning = Tuning([BAIKAL, f"{BAIKAL} + y", f"{BAIKAL} + log(x + y)"], config=config, evaluator=evaluator)
    assert compilations == []
    assert [tuned.num_coefficients for tuned in tuning.tuned] == [3, 4, 6]
    assert [tuned.generations for tuned in tuning.tuned] == [3, 3, 3]


def test_tuning_is_the_same_on_any_number_of_devices() -> None:
    one, two = (Tuning([BAIKAL, CROSS_ENTROPY], evaluator=trainer(number)) for number in (1, 2))
    assert one.records == two.records
    assert one.tuned == two.tuned
    assert one.evaluations == two.evaluations
    assert max(record.best_fitness or 0 for record in one.records) > 0
