from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from glojax.errors import GlojaxError
from glojax.evaluation import Evaluation, Status
from glojax.expressions import LossTree, canonical
from glojax.genetic import GeneticConfig
from glojax.search.discovery import Discovered, Finalist, GenerationRecord, choose, discover, select_finalists
from tests.search.fakes import STEPS, FakeEvaluator, fitness_of

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


def test_one_generation_is_the_random_one() -> None:
    assert [record.generation for record in Search(num_generations=1).generations] == [1]


def test_the_seed_decides_everything(search: Search) -> None:
    assert Search().found == search.found
    assert Search(seed=1).found != search.found


class Confirmer(FakeEvaluator):
    """Gives fixed accuracies [losses, seeds]."""

    def __init__(self, accuracies: list[list[float]]):
        super().__init__()
        self._accuracies = np.array(accuracies, np.float32)

    def confirm(
        self, trees: Sequence[LossTree], seeds: Sequence[int], on_training: Callable[[int], None] = lambda steps: None
    ) -> np.ndarray:
        assert self._accuracies.shape == (len(trees), len(seeds))
        for _ in range(self._accuracies.size):
            on_training(STEPS)
        return self._accuracies


def finalists(*accuracies: list[float]) -> tuple[list[Finalist], list[int]]:
    """What is chosen among losses that came in this order, and the steps reported."""
    trees = [canonical(LossTree.parse(text)) for text in ("x * log(y)", "log(y) - x / y", "x * y")]
    found = [Discovered(Evaluation(str(tree), fitness_of(tree), "trained", STEPS), 1) for tree in trees]
    steps: list[int] = []
    evaluator = Confirmer(list(accuracies))
    return choose(found, evaluator, range(len(accuracies[0])), on_training=steps.append), steps


def test_the_finalist_of_the_highest_mean_comes_first() -> None:
    chosen, steps = finalists([0.9, 0.3], [0.7, 0.8], [0.5, 0.8])
    assert chosen == [
        Finalist("log(y) - x / y", 0.75, 0.75, [0.7, 0.8], [0, 1]),
        Finalist("x * y", 0.5, 0.65, [0.5, 0.8], [0, 1]),
        Finalist("x * log(y)", 0.75, 0.6, [0.9, 0.3], [0, 1]),
    ]
    assert steps == [STEPS] * 6


def test_between_equal_finalists_the_searchs_order_decides() -> None:
    chosen, _ = finalists([0.5, 0.5], [0.25, 0.75], [0.9, 0.9])
    assert [one.expression for one in chosen] == ["x * y", "x * log(y)", "log(y) - x / y"]


def discovered(text: str, fitness: float, status: Status = "trained") -> Discovered:
    return Discovered(Evaluation(text, fitness, status, STEPS), 1)


def test_finalists_are_the_best_trained_ones_and_the_smallest_of_each_fitness() -> None:
    best, same, second = discovered("x * y", 0.9), discovered("x * y^2", 0.9), discovered("x - y", 0.8)
    third, failed = discovered("x + y", 0.7), discovered("x / y", 0.0, "non_finite")
    found = [best, same, second, third, failed]
    assert select_finalists(found, 2) == [best, second]
    assert select_finalists(found, 10) == [best, second, third]


def test_where_nothing_was_trained_there_is_no_finalist() -> None:
    found = [discovered("x", 0.0, "lacks_variable"), discovered("x / y", 0.0, "non_finite")]
    with pytest.raises(GlojaxError, match="None of 2 distinct losses could be trained"):
        select_finalists(found, 5)
