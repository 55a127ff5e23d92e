from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import glojax
from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree, canonical
from glojax.search.generations import Discovered, GenerationRecord, discover
from glojax.search.logs import EventLog
from glojax.search.loop import rank
from glojax.strategies import CONSTRAINTS, GeneticConfig, TaylorConfig
from tests.search.fakes import STEPS, FakeEvaluator

CONFIG = GeneticConfig(population_size=30, num_elites=3)


class Discovery:
    """A discovery with all that it reported, timings aside."""

    def __init__(self, evaluator: FakeEvaluator | None = None, num_generations: int = 4, seed: int = 0, **options: Any):
        self.evaluations: list[tuple[Evaluation, int]] = []
        self.generations: list[GenerationRecord] = []
        self.found = discover(
            evaluator or FakeEvaluator(),
            CONFIG,
            num_generations,
            seed,
            on_evaluation=lambda evaluation, generation: self.evaluations.append((evaluation, generation)),
            on_generation=lambda record: self.generations.append(replace(record, seconds=0.0)),
            **options,
        )

    @property
    def reported(self) -> tuple[list[tuple[Evaluation, int]], list[GenerationRecord], list[Discovered]]:
        return self.evaluations, self.generations, self.found


@pytest.fixture(scope="module")
def discovery() -> Discovery:
    return Discovery()


def test_the_best_comes_first_and_of_equals_the_smaller_then_the_earlier(discovery: Discovery) -> None:
    keys = [(*rank(one.evaluation), one.generation) for one in discovery.found]
    assert keys == sorted(keys)
    assert {one.evaluation.fitness for one in discovery.found} == {0.75, 0.5, None}


def test_each_function_is_found_once_with_its_first_generation(discovery: Discovery) -> None:
    first: dict[LossTree, int] = {}
    for evaluation, generation in discovery.evaluations:
        first.setdefault(evaluation.tree, generation)
    assert {one.evaluation.tree: one.generation for one in discovery.found} == first
    assert len(discovery.found) == len(first)
    assert all(one.evaluation.status != "cached" for one in discovery.found)


@pytest.mark.parametrize("strategy", ["generational", "steady-state", "random"])
@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_each_generation_is_summed_up(strategy: str, is_asynchronous: bool) -> None:
    log = EventLog() if is_asynchronous else None
    discovery = Discovery(FakeEvaluator(room=5), strategy=strategy, log=log)
    assert Counter(generation for _, generation in discovery.evaluations) == {1: 30, 2: 30, 3: 30, 4: 30}
    assert [record.generation for record in discovery.generations] == [1, 2, 3, 4]
    for record in discovery.generations:
        mine = [evaluation for evaluation, generation in discovery.evaluations if generation == record.generation]
        counts = Counter(evaluation.status for evaluation in mine)
        assert (record.trained, record.cached) == (counts["trained"], counts["cached"])
        assert (record.lacks_variable, record.non_finite) == (counts["lacks_variable"], 0)
        assert record.candidate_steps == STEPS * counts["trained"]
        known = [one.fitness for one in mine if one.fitness is not None]
        assert record.best_fitness == max(known, default=None)
        assert record.median_fitness == (pytest.approx(np.median(known), abs=1e-6) if known else None)
        best = [evaluation.tree.size for evaluation in mine if evaluation.fitness == record.best_fitness]
        assert LossTree.parse(record.best_expression).size == min(best)
        assert sum(counts.values()) == 30


def test_a_generation_without_a_known_fitness_has_no_best() -> None:
    (record,) = Discovery(FakeEvaluator(lambda tree: None), num_generations=1).generations
    assert (record.best_fitness, record.median_fitness, record.trained) == (None, None, 0)
    assert record.non_finite > 0


def test_callbacks_and_configuration_can_be_left_out(discovery: Discovery) -> None:
    assert glojax.discover(FakeEvaluator(), CONFIG, 4, seed=0) == discovery.found
    assert len(glojax.discover(FakeEvaluator(), num_generations=1)) > 20


def test_one_generation_is_the_random_one() -> None:
    assert [record.generation for record in Discovery(num_generations=1).generations] == [1]


def test_the_seed_decides_everything(discovery: Discovery) -> None:
    assert Discovery().reported == discovery.reported
    assert Discovery(seed=1).found != discovery.found


def test_one_worker_begins_the_steady_state_with_the_first_generation() -> None:
    generational = Discovery(num_generations=1)
    steady = Discovery(num_generations=1, strategy="steady-state", log=EventLog())
    assert steady.reported == generational.reported


def test_more_generations_go_on_where_fewer_ended() -> None:
    for strategy in ("generational", "steady-state", "random"):
        shorter, longer = (Discovery(num_generations=number, strategy=strategy) for number in (2, 4))
        assert longer.generations[:2] == shorter.generations
        assert longer.evaluations[:60] == shorter.evaluations


@pytest.mark.parametrize("strategy", ["generational", "steady-state", "random"])
def test_initial_losses_are_the_first_candidates(strategy: str) -> None:
    initial = [LossTree.parse(text) for text in ("x * log(y) + 0", "log(y) - x / y")]
    discovery = Discovery(num_generations=1, strategy=strategy, initial=initial)
    assert [one.tree for one, _ in discovery.evaluations[:2]] == [canonical(tree) for tree in initial]
    assert len(discovery.evaluations) == 30


def test_a_constraint_is_a_predicate_a_name_or_several() -> None:
    for constraint in ("bounded", ["bounded", lambda tree: not tree.uses("sqrt")]):
        found = Discovery(constraint=constraint).found
        assert len(found) > 10
        assert all(CONSTRAINTS["bounded"](one.evaluation.tree) for one in found)
    assert not any(one.evaluation.tree.uses("sqrt") for one in found)


def test_settings_of_another_strategy_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Strategy 'taylor' got GeneticConfig\(.*; expected a TaylorConfig"):
        discover(FakeEvaluator(), CONFIG, strategy="taylor")
    taylor = TaylorConfig(order=2, population_size=10)
    assert len(discover(FakeEvaluator(), taylor, num_generations=1, strategy="taylor")) == 10


def test_every_candidate_meets_the_constraint() -> None:
    found = Discovery(constraint=lambda tree: not tree.uses("log")).found
    assert not any(one.evaluation.tree.uses("log") for one in found)
    assert any(one.evaluation.tree.uses("sqrt") for one in found)
    with pytest.raises(ConfigurationError, match="constraint"):
        Discovery(initial=[LossTree.parse("x * log(y)")], constraint=lambda tree: not tree.uses("log"))


def test_a_time_limit_ends_a_discovery_with_what_it_has(monkeypatch: pytest.MonkeyPatch, discovery: Discovery) -> None:
    evaluator = FakeEvaluator()
    monkeypatch.setattr("glojax.search.loop.time.monotonic", lambda: evaluator.num_waits)
    limited = Discovery(evaluator, time_limit=12)
    assert evaluator.num_waits == 12
    assert 0 < len(limited.evaluations) < 120
    assert limited.evaluations == discovery.evaluations[: len(limited.evaluations)]
    assert {one.evaluation.tree for one in limited.found} == {one.tree for one, _ in limited.evaluations}


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown strategy 'steady'\. Did you mean 'steady-state'\? Expected"):
        Discovery(strategy="steady")
