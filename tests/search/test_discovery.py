from collections import Counter

import numpy as np
import pytest
from glojax.genetic import GeneticConfig
from glojax.search.discovery import GenerationRecord, discover

import glojax
from glojax.evaluation import Evaluation
from glojax.expressions import LossTree
from tests.search.fakes import STEPS, FakeEvaluator

CONFIG = GeneticConfig(population_size=30, num_elites=3)


class Search:
    """A search with all that it reported."""

    def __init__(self, num_generations: int = 4, seed: int = 0):
        self.evaluations: list[tuple[Evaluation, int]] = []
        self.generations: list[GenerationRecord] = []
        self.found = discover(
            FakeEvaluator(),
            CONFIG,
            num_generations,
            seed,
            on_evaluation=lambda evaluation, generation: self.evaluations.append((evaluation, generation)),
            on_generation=self.generations.append,
        )


@pytest.fixture(scope="module")
def search() -> Search:
    return Search()


def test_the_best_comes_first_and_of_equals_the_smaller_then_the_earlier(search: Search) -> None:
    keys = [(-one.evaluation.fitness, one.size, one.generation) for one in search.found]
    assert keys == sorted(keys)
    assert search.found[0].evaluation.fitness == 0.75
    assert len({fitness for fitness, _, _ in keys}) == 3


def test_each_function_is_found_once_with_its_first_generation(search: Search) -> None:
    first: dict[str, int] = {}
    for evaluation, generation in search.evaluations:
        first.setdefault(evaluation.expression, generation)
    assert {one.evaluation.expression: one.generation for one in search.found} == first
    assert len(search.found) == len(first)
    assert all(one.evaluation.status != "cached" for one in search.found)


def test_every_candidate_of_every_generation_is_reported(search: Search) -> None:
    assert Counter(generation for _, generation in search.evaluations) == {1: 30, 2: 30, 3: 30, 4: 30}


def test_each_generation_is_summed_up(search: Search) -> None:
    assert [record.generation for record in search.generations] == [1, 2, 3, 4]
    for record in search.generations:
        mine = [evaluation for evaluation, generation in search.evaluations if generation == record.generation]
        counts = Counter(evaluation.status for evaluation in mine)
        assert (record.trained, record.cached) == (counts["trained"], counts["cached"])
        assert (record.lacks_variable, record.non_finite) == (counts["lacks_variable"], 0)
        assert record.candidate_steps == STEPS * counts["trained"]
        assert record.best_fitness == max(evaluation.fitness for evaluation in mine)
        assert record.median_fitness == pytest.approx(np.median([evaluation.fitness for evaluation in mine]), abs=1e-6)
        best = [evaluation.expression for evaluation in mine if evaluation.fitness == record.best_fitness]
        assert LossTree.parse(record.best_expression).size == min(LossTree.parse(text).size for text in best)


def test_nobody_has_to_listen() -> None:
    assert glojax.discover(FakeEvaluator(), CONFIG, 4, seed=0) == Search().found


def test_one_generation_is_the_random_one() -> None:
    assert [record.generation for record in Search(num_generations=1).generations] == [1]


def test_the_seed_decides_everything(search: Search) -> None:
    assert Search().found == search.found
    assert Search(seed=1).found != search.found
