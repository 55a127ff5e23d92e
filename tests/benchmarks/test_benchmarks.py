"""The contestants of the smaller benchmarks."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import (
    convolution,
    durability,
    evolution_strategy,
    generation,
    interpreter,
    joint_tuning,
    population_cost,
)
from benchmarks.compile_clock import CompileClock
from benchmarks.workloads import WORKLOADS, loss_trees
from glojax.datasets import load_dataset
from glojax.expressions import canonical
from tests.linear_network import LinearNetwork


@pytest.mark.parametrize("size", [3, 4, 7, 15, 31, 63])
def test_there_is_a_tree_of_each_size(size: int) -> None:
    assert interpreter.tree_of_size(size).size == size


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="no tree of 8 nodes"):
        interpreter.tree_of_size(8)


@pytest.mark.parametrize("function", [interpreter.program, interpreter.compiled, interpreter.by_hand])
def test_a_loss_is_evaluated_many_times(monkeypatch: pytest.MonkeyPatch, function: type) -> None:
    monkeypatch.setattr(interpreter, "MOST_REPETITIONS", 3)
    assert function(4, 10).turn().units == 3


@pytest.mark.parametrize("form", convolution.FORMS)
def test_the_forms_are_the_same_convolution(form: str) -> None:
    rng = np.random.default_rng(0)
    images, kernel = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((9, 6, 6, 4), (3, 3, 4, 5)))

    def gradients(form: str) -> tuple[jax.Array, jax.Array]:
        convolve = convolution.FORMS[form]
        found: tuple[jax.Array, jax.Array] = jax.grad(
            lambda images, kernel: jnp.sum(convolve(images, kernel) ** 2), argnums=(0, 1)
        )(images, kernel)
        return found

    for ours, expected in zip(gradients(form), gradients("lax"), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layer", ["digits 1", "digits 2"])
@pytest.mark.parametrize("form", convolution.LOWERINGS)
def test_a_population_s_convolutions_count_for_each_candidate(
    layer: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(convolution.SHAPES, layer, convolution.SHAPES[layer]._replace(batch=4, repetitions=2))
    assert convolution.make(layer, form, "forward and backward").turn().units == 2 * convolution.POPULATION


@pytest.mark.parametrize("direction", ["forward", "forward and backward"])
def test_a_convolution_is_repeated(direction: convolution.Pass, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = convolution.SHAPES["digits 2"]._replace(batch=4, repetitions=3)
    monkeypatch.setitem(convolution.SHAPES, "digits 2", shape)
    assert convolution.make("digits 2", "convolve", direction).turn().units == 3


def test_both_kinds_of_losses_are_spread_evenly() -> None:
    deadly, others = population_cost.deadly_trees(6), loss_trees(4)
    trees = population_cost.spread(deadly, others)
    assert sorted(map(str, trees)) == sorted(map(str, deadly + others))
    assert all(2 <= sum(tree in deadly for tree in trees[start : start + 5]) <= 4 for start in range(6))


def test_deadly_losses_are_different() -> None:
    assert len(set(map(canonical, population_cost.deadly_trees(8)))) == 8


def test_a_compiled_training_learns_and_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "DigitsCNN", LinearNetwork)
    dataset = load_dataset("digits")
    data = [(jnp.asarray(split.inputs), jnp.asarray(split.targets)) for split in (dataset.train, dataset.validation)]
    assert float(generation._training("log(y) - x / y", 100)(*data)) > 0.5
    assert float(generation._training("log(x) * y", 10**9)(*data)) < 0.5


def test_the_search_names_the_losses_that_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "DigitsCNN", LinearNetwork)
    expressions = generation.trained_expressions(population=6, steps=2, generations=2, seed=0)
    assert 0 < len(expressions) == len(set(expressions)) <= 12
    assert all({"x", "y"} <= set(expression) for expression in expressions)


def test_a_population_is_trained_on_a_pool_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=LinearNetwork))
    contestant = population_cost.make("digits", population=3, dying=0.0, steps=2)
    assert [contestant.turn().units for _ in range(2)] == [3, 3]


def test_results_are_kept_on_disk_or_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(durability, "DigitsCNN", LinearNetwork)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path))
    for function in (durability.on_disk, durability.in_memory):
        contestant = function(population=2)
        assert [contestant.turn().units for _ in range(2)] == [2, 2]
    # Each turn has another seed.
    assert len((tmp_path / "trainings.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("way", joint_tuning.WAYS)
def test_tuning_and_its_trainings_alone_take_as_many_steps(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(joint_tuning, "DigitsCNN", LinearNetwork)
    # Two losses of 6 and 9 coefficients, tuned for two generations.
    monkeypatch.setattr(joint_tuning, "LOSSES", joint_tuning.LOSSES[:2])
    monkeypatch.setattr(joint_tuning, "MEMBERS", 19)
    monkeypatch.setattr(joint_tuning, "TUNING", replace(joint_tuning.TUNING, generations=2))
    contestant = joint_tuning.WAYS[way](3)
    # Nothing is known from the turn before: two generations of 19 members train for 3 steps in each.
    assert [contestant.turn().units for _ in range(2)] == [3 * 2 * 19] * 2


@pytest.mark.parametrize("contestant", evolution_strategy.CONTESTANTS)
def test_a_seed_that_does_not_reach_the_target_counts_with_the_limit(
    monkeypatch: pytest.MonkeyPatch, contestant: str
) -> None:
    short = evolution_strategy.PROBLEMS["sphere"]._replace(limit=90)
    monkeypatch.setitem(evolution_strategy.PROBLEMS, "sphere", short)
    case = evolution_strategy.measured(contestant, "sphere", 6, False, seeds=2)
    assert list(case.samples.values) == [90, 90]
    assert case.details == {"reached": 0, "limit": 90}


def test_the_clock_counts_what_overlaps_once() -> None:
    clock = CompileClock()

    def compile_something(size: int) -> None:
        jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((size, size)))

    threads = [threading.Thread(target=compile_something, args=(size,)) for size in (17, 18)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < clock.seconds <= time.perf_counter() - start
    clock.restart()
    assert clock.seconds == 0
