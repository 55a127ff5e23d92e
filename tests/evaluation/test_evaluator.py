"""From loss functions to fitness by trainings on devices."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from glojax.datasets import Dataset
from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation, FitnessRule, LocalEvaluator, TrainingJournal, evaluate, training_devices
from glojax.expressions import LossTree, canonical
from glojax.strategies.genetic import random_tree
from glojax.training import TrainingConfig
from tests.linear_network import LinearNetwork

CONFIG = TrainingConfig(num_steps=10, batch_size=64, learning_rate=0.05)

#: The logarithm of a negative number in the ninth step with seed 1, but none with 2 and 5.
FRAGILE = "x * log(y - 0.0695)"
LOSSES = ("x * log(y)", FRAGILE, "log(x) + y", "log(y) - x / y", "x - 1")

Make = Callable[..., LocalEvaluator]


@pytest.fixture
def make(digits: Dataset) -> Make:
    def make(
        seeds: tuple[int, ...] = (0,), num_devices: int = 2, config: TrainingConfig = CONFIG, **options: Any
    ) -> LocalEvaluator:
        rule = FitnessRule(seeds=seeds)
        return LocalEvaluator(LinearNetwork, digits, config, rule, devices=training_devices(num_devices), **options)

    return make


def evaluations_of(evaluator: LocalEvaluator, *texts: str, rule: FitnessRule | None = None) -> list[Evaluation]:
    return evaluate(evaluator, [LossTree.parse(text) for text in texts], rule)


def test_statuses_say_how_each_evaluation_ended(make: Make) -> None:
    texts = ("x * log(y)", "log(y)", "x + 1", "x * log(y - 2)", "log(y) * x", "x * log(y)")
    evaluations = evaluations_of(make(), *texts)
    statuses = [evaluation.status for evaluation in evaluations]
    assert statuses == ["trained", "lacks_variable", "lacks_variable", "non_finite", "cached", "cached"]
    assert [evaluation.steps for evaluation in evaluations] == [10, 0, 0, 1, 0, 0]
    fitness = [evaluation.fitness for evaluation in evaluations]
    assert fitness[1:4] == [None, None, None]
    assert fitness[0] is not None
    assert 0 < fitness[0] == fitness[4] == fitness[5]


def test_a_known_function_is_not_trained_again(make: Make) -> None:
    trained: list[int] = []
    evaluator = make(on_training=lambda result: trained.append(int(result.num_steps)))
    (first,) = evaluations_of(evaluator, "x * log(y)")
    (again,) = evaluations_of(evaluator, "log(y) * x * 1")
    assert again == first.again()
    assert (again.expression, again.status, again.steps) == ("x * log(y)", "cached", 0)
    assert trained == [10]


def test_equal_functions_have_the_same_fitness_whichever_came_first(make: Make) -> None:
    texts = ["log(y) - x / y", "log(y * 1) - x / y + 0", "-(x / y - log(y))"]
    fitness = {evaluations_of(make(), text)[0].fitness for text in texts}
    assert len(fitness) == 1


def test_fitness_does_not_depend_on_the_company(make: Make) -> None:
    among = evaluations_of(make(), "x / (y - y)", "x * y", "log(y) - x / y", "x - y^2")
    alone = evaluations_of(make(num_devices=1), "log(y) - x / y")
    assert alone[0] == among[2]


def test_fitness_is_the_mean_over_seeds_and_steps_are_their_sum(make: Make) -> None:
    alone = [evaluations_of(make((seed,)), *LOSSES) for seed in (2, 1, 5)]
    together = evaluations_of(make((2, 1, 5)), *LOSSES)
    for one, *each in zip(together, *alone, strict=True):
        mean = np.mean([replicate.fitness or 0.0 for replicate in each])
        assert one.fitness is None or one.fitness == pytest.approx(mean, abs=2e-6)
        assert one.steps == sum(replicate.steps for replicate in each)
    assert len({one[0].fitness for one in alone}) == 3
    assert [one.status for one in together] == ["trained", "non_finite", "non_finite", "trained", "lacks_variable"]
    assert [one.fitness is None for one in together] == [False, False, True, False, True]
    assert [one.steps for one in together] == [30, 29, 3, 30, 0]


def test_a_seed_that_fails_counts_as_0_beside_one_that_does_not(make: Make) -> None:
    (fine,), (failed,), (both,) = (evaluations_of(make(seeds), FRAGILE) for seeds in ((2,), (1,), (1, 2)))
    assert (fine.status, failed.status, failed.fitness, failed.steps) == ("trained", "non_finite", None, 9)
    assert (both.status, both.steps) == ("non_finite", 19)
    assert fine.fitness is not None
    assert both.fitness == pytest.approx(fine.fitness / 2, abs=2e-6)
    assert fine.fitness > 0


@pytest.mark.parametrize(("num_devices", "chunk_size"), [(1, 1), (3, 1), (2, 4)])
def test_devices_and_chunks_do_not_change_an_evaluation(make: Make, num_devices: int, chunk_size: int) -> None:
    texts = (*LOSSES, "log(y) * x")
    expected = evaluations_of(make((2, 1, 5)), *texts)
    spread = make((2, 1, 5), num_devices=num_devices, chunk_size=chunk_size)
    assert evaluations_of(spread, *texts) == expected
    assert len({evaluation.fitness for evaluation in expected}) == 4


@pytest.mark.parametrize(("num_devices", "chunk_size"), [(1, 1), (2, 1), (2, 4)])
def test_losses_that_are_submitted_as_there_is_room_are_evaluated_as_all_together(
    make: Make, num_devices: int, chunk_size: int
) -> None:
    trees = [LossTree.parse(text) for text in (*LOSSES, "log(y) * x", "x * y", "x - y", "x * sqrt(y)")]
    evaluator = make((2, 1, 5), num_devices=num_devices, chunk_size=chunk_size)
    numbers: dict[int, int] = {}
    seen: dict[int, Evaluation] = {}
    while len(seen) < len(trees):
        while evaluator.room and len(numbers) < len(trees):
            (ticket,) = evaluator.submit([trees[len(numbers)]])
            numbers[ticket] = len(numbers)
        submitted = {canonical(trees[number]) for number in numbers.values()}
        known = {evaluation.tree for evaluation in seen.values()}
        in_training = {tree for tree in submitted - known if tree.uses("x") and tree.uses("y")}
        assert len(in_training) <= num_devices * chunk_size
        seen |= {numbers[ticket]: evaluation for ticket, evaluation in evaluator.wait()}
    assert [seen[number] for number in range(len(trees))] == evaluate(make((2, 1, 5)), trees)
    assert seen[5].status == "cached"


@contextmanager
def counted_compilations() -> Iterator[list[str]]:
    compilations: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compilations.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield compilations
    jax.monitoring.unregister_event_duration_listener(listen)


def test_nothing_compiles_after_the_first_generation(make: Make) -> None:
    rng = np.random.default_rng(0)

    def fresh_trees() -> list[LossTree]:
        trees = [random_tree(rng, max_depth=depth) for depth in (2, 3, 4, 5, 6) for _ in range(40)]
        small = [tree for tree in trees if tree.size <= 64]
        return [*small[-20:], LossTree.parse("x + y" + " + log(y)" * 19)]

    # A budget of its own, so that no other test has compiled its trainer.
    evaluator = make(config=replace(CONFIG, num_steps=9))
    with counted_compilations() as first:
        evaluate(evaluator, fresh_trees())
    assert first
    with counted_compilations() as later:
        generations = [fresh_trees() for _ in range(3)]
        for trees in generations:
            evaluate(evaluator, trees)
        # Neither do other seeds and rates.
        evaluate(evaluator, generations[0][-3:], FitnessRule(seeds=(7, 8), learning_rates=(0.01, 0.02)))
    assert later == []
    assert {tree.size for trees in generations for tree in trees} >= {3, 60}


def test_of_several_rates_the_best_counts(make: Make) -> None:
    texts = ("x * log(y)", "x * sqrt(y)")
    by_rate = {
        rate: evaluations_of(make((0, 1), config=replace(CONFIG, learning_rate=rate)), *texts)
        for rate in (0.001, 0.05, 0.5)
    }
    evaluator = make()
    evaluations = evaluations_of(evaluator, *texts, rule=FitnessRule((0, 1), (0.001, 0.05, 0.5)))
    for index, evaluation in enumerate(evaluations):
        fitness = {rate: alone[index].fitness or 0.0 for rate, alone in by_rate.items()}
        assert evaluation.fitness == max(fitness.values())
        assert evaluation.learning_rate == max(fitness, key=lambda rate: fitness[rate])
        for rate, alone in by_rate.items():
            assert evaluation.scores("validation", rate) == alone[index].scores("validation")
    assert evaluations[0].fitness != evaluations[1].fitness


def test_a_rule_measures_the_test_set_too(make: Make) -> None:
    evaluator = make()
    (own,) = evaluations_of(evaluator, "x * log(y)")
    (both,) = evaluations_of(evaluator, "x * log(y)", rule=FitnessRule(splits=("validation", "test")))
    assert both.status == "trained"
    assert both.fitness == own.fitness
    assert 0 < both.scores("test")[0] != both.scores("validation")[0]


def test_a_rule_takes_fewer_steps(make: Make) -> None:
    evaluator = make()
    (own,) = evaluations_of(evaluator, "x * log(y)")
    (short,) = evaluations_of(evaluator, "x * log(y)", rule=FitnessRule(num_steps=2))
    (alone,) = evaluations_of(make(config=replace(CONFIG, num_steps=2)), "x * log(y)")
    assert (own.steps, short.steps) == (10, 2)
    assert short == alone


def confidence(outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> jax.Array:
    """Score the share of images of which the network is surer than it is by chance."""
    return (jax.nn.softmax(outputs).max(axis=-1) > 0.1001).astype(jnp.float32).mean()


def test_a_metric_from_outside_gives_the_fitness(make: Make) -> None:
    (measured,) = evaluations_of(make(config=replace(CONFIG, metric=confidence)), "x * log(y)")
    (default,) = evaluations_of(make(), "x * log(y)")
    assert measured.fitness == 1.0
    assert default.fitness is not None
    assert default.fitness < 1.0


def standing_still(learning_rate: jax.Array | float) -> optax.GradientTransformation:
    """Change no parameter."""
    return optax.set_to_zero()


def test_an_optimizer_from_outside_trains(make: Make, digits: Dataset) -> None:
    (still,) = evaluations_of(make(config=replace(CONFIG, optimizer=standing_still)), "x * log(y)")
    # A network of zeros takes every image for a 0.
    assert still.status == "trained"
    assert still.fitness is not None
    assert still.fitness == pytest.approx(np.mean(digits.validation.targets == 0), abs=1e-6)


def test_networks_of_different_width_share_no_result(digits: Dataset) -> None:
    class Hidden(nnx.Module):
        def __init__(self, width: int, rngs: nnx.Rngs):
            self.hidden, self.output = nnx.Linear(64, width, rngs=rngs), nnx.Linear(width, 10, rngs=rngs)

        def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
            logits: jax.Array = self.output(self.hidden(images.reshape(images.shape[0], -1)))
            return logits

    journal = TrainingJournal()
    fitness = []
    for width in (4, 32, 4):
        evaluator = LocalEvaluator(lambda rngs, width=width: Hidden(width, rngs), digits, CONFIG, journal=journal)
        fitness.append(evaluations_of(evaluator, "x * log(y)")[0].fitness)
    assert fitness[0] == fitness[2] != fitness[1]
    assert len(journal) == 2


def test_a_network_that_does_not_fit_is_refused(digits: Dataset) -> None:
    class Narrow(LinearNetwork):
        def __init__(self, rngs: nnx.Rngs):
            self.output = nnx.Linear(3, 10, rngs=rngs)

    with pytest.raises(ConfigurationError, match="Narrow does not take inputs"):
        LocalEvaluator(Narrow, digits, CONFIG)
