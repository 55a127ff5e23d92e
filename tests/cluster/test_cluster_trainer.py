"""Trainings on real worker processes, some of which are killed or frozen."""

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from glojax.errors import ClusterError
from glojax.evaluation import Evaluation, Training, TrainingEvaluator, TrainingJournal
from glojax.evaluation.cluster_settings import ClusterProgress, Limits
from glojax.evaluation.fleet import Fleet
from glojax.evaluation.journal import crashed_result, recorded_result
from glojax.expressions import LossTree
from glojax.training import TrainResult
from tests.cluster.conftest import LONG, MakeTrainer
from tests.cluster.networks import FragileCNN

TREES = [LossTree.parse(text) for text in ("x * log(y)", "log(y) - x / y", "x * sqrt(y)", "x / (y - y)")]


def numbers(results: Iterator[tuple[int, TrainResult]]) -> list[tuple[float, bool, int]]:
    rows = [(place, float(one.accuracy["validation"]), bool(one.finite), int(one.num_steps)) for place, one in results]
    assert [row[0] for row in rows] == list(range(len(rows)))
    return [row[1:] for row in rows]


class Disturbance:
    """Sends a signal to the first worker that has a shard, once the speed of each is known; for `on_progress`."""

    def __init__(self, fleet: Fleet, signal_number: int):
        self._fleet, self._signal = fleet, signal_number
        self._before = self._shards()
        self.process: int | None = None
        self.progress = ClusterProgress(0, 0, 0)

    def __call__(self, progress: ClusterProgress) -> None:
        self.progress = progress
        busy = [member.address for member in self._fleet.members if member.has_shard]
        if self.process is None and busy:
            done = self._shards()
            # With its first shard in a trainer a worker compiles, with the second one it shows its speed.
            if all(done[address] >= number + 2 for address, number in self._before.items()):
                report = self._fleet.reports()[0][busy[0]]
                assert report is not None
                self.process = report["pid"]
                os.kill(report["pid"], self._signal)

    def _shards(self) -> dict[str, int]:
        return {address: report["shards"] for address, report in self._fleet.reports()[0].items() if report}


def failures(fleet: Fleet) -> list[str]:
    return [failure["what"] for failure in fleet.reports()[1]]


def test_results_come_in_order_and_enter_the_journal(make_trainer: MakeTrainer) -> None:
    journal = TrainingJournal()
    results = numbers(make_trainer(journal=journal).train(TREES, [0, 1]))
    assert len(results) == len(journal) == 8
    assert [steps for _, _, steps in results] == [3] * 6 + [1] * 2
    assert [finite for _, finite, _ in results] == [True] * 6 + [False] * 2
    # Nothing is asked of the workers for what is known.
    again = make_trainer(journal=journal, limits=Limits(first_seconds=1e-9))
    assert numbers(again.train(TREES, [0, 1])) == results


def test_trees_are_drawn_for_workers_that_are_free(make_trainer: MakeTrainer) -> None:
    evaluator = TrainingEvaluator(make_trainer(), seeds=[0, 1])
    drawn: list[LossTree] = []
    seen: dict[int, Evaluation] = {}

    def draw() -> LossTree | None:
        assert len(drawn) - len(seen) < 2
        if len(drawn) == len(TREES):
            return None
        drawn.append(TREES[len(drawn)])
        return drawn[-1]

    evaluator.evaluate_drawn(draw, seen.__setitem__)
    assert [seen[number] for number in range(4)] == TrainingEvaluator(make_trainer(), seeds=[0, 1]).evaluate(TREES)


@pytest.mark.slow
def test_a_killed_worker_costs_no_training(make_trainer: MakeTrainer, fleet: Fleet) -> None:
    expected = numbers(make_trainer(LONG).train(TREES[:2], range(6)))
    before, kill = failures(fleet), Disturbance(fleet, signal.SIGKILL)
    assert numbers(make_trainer(LONG, on_progress=kill).train(TREES[:2], range(6))) == expected
    assert kill.progress.retries == 1
    assert failures(fleet) == [*before, "lost"]


@pytest.mark.slow
def test_a_frozen_worker_is_late_and_replaced(make_trainer: MakeTrainer, fleet: Fleet) -> None:
    expected = numbers(make_trainer(LONG).train(TREES[:2], range(6)))
    before, freeze = failures(fleet), Disturbance(fleet, signal.SIGSTOP)
    limits = Limits(slack_seconds=5)
    assert numbers(make_trainer(LONG, limits=limits, on_progress=freeze).train(TREES[:2], range(6))) == expected
    assert failures(fleet) == [*before, "late"]
    fleet.wait_for_workers(2)
    assert freeze.process is not None
    with pytest.raises(ProcessLookupError):
        os.kill(freeze.process, 0)


@pytest.mark.slow
def test_what_ends_its_workers_is_isolated_and_counts_as_crashed(make_trainer: MakeTrainer) -> None:
    journal = TrainingJournal()
    retries: list[int] = []
    trainer = make_trainer(
        network=FragileCNN, journal=journal, on_progress=lambda progress: retries.append(progress.retries)
    )
    rates = [0.05, 1e30, 0.05, 0.05]
    results = numbers(trainer.train(TREES[:1] * 4, [0], rates))
    assert results[1] == (0.0, False, 0)
    assert results[0] == results[2] == results[3]
    assert results[0][2] == 3
    # It went with another at first, if at all, then alone to three workers.
    assert retries[-1] in (3, 4)


@pytest.mark.slow
def test_where_nothing_can_be_trained_no_training_is_to_blame(make_trainer: MakeTrainer) -> None:
    journal = TrainingJournal()
    trainer = make_trainer(2000, limits=Limits(first_seconds=1e-9), journal=journal)
    with pytest.raises(ClusterError, match=r"No training has been done, and x \* log\(y\) has ended 3 workers"):
        list(trainer.train(TREES[:1], [0]))
    assert not journal


def test_a_crashed_training_gives_fitness_zero_and_is_not_tried_again(make_trainer: MakeTrainer) -> None:
    journal = TrainingJournal()
    trainer = make_trainer(journal=journal, limits=Limits(first_seconds=1e-9))
    for seed, result in ((0, crashed_result(["validation"])), (1, _good())):
        journal.add(Training(trainer.context, str(TREES[0]), seed, float(np.float32(0.05))), result)
    (evaluation,) = TrainingEvaluator(trainer, seeds=[0, 1]).evaluate(TREES[:1])
    assert (evaluation.status, evaluation.fitness, evaluation.steps) == ("crashed", 0.0, 3)


def _good() -> TrainResult:
    return recorded_result({"accuracy": {"validation": 0.5}, "finite": True, "steps": 3})
