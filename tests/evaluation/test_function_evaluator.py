"""Losses evaluated by a function, against NumPy."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from glojax import FitnessRule, FunctionEvaluator, GenerationalSearch, GeneticConfig, Search
from glojax.errors import ConfigurationError
from glojax.evaluation import TrainingJournal, evaluate
from glojax.expressions import LossTree

CROSS_ENTROPY, DOUBLED, SQUARED = (LossTree.parse(text) for text in ("x * log(y)", "2 * x * log(y)", "-(x - y)^2"))
SEEDS = (0, 1)


CLASSES = np.array([2, 0])


def value_and_slope(loss: Any, key: jax.Array) -> Any:
    """Of a loss at logits that the key draws."""
    logits = jax.random.normal(key, (2, 3))
    value, gradient = jax.value_and_grad(lambda logits: loss(logits, CLASSES).mean())(logits)
    return value + jnp.square(gradient).sum()


def expected(factor: float) -> float:
    """For `factor` times the cross-entropy."""
    values = []
    for seed in SEEDS:
        logits = np.asarray(jax.random.normal(jax.random.key(seed), (2, 3)), np.float64)
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gradient = factor * (probs - np.eye(3)[CLASSES]) / 2
        values.append(-factor * np.log(probs[[0, 1], CLASSES]).mean() + np.square(gradient).sum())
    return float(np.mean(values))


@pytest.fixture(scope="module")
def evaluator() -> FunctionEvaluator:
    return FunctionEvaluator(value_and_slope, FitnessRule(seeds=SEEDS), chunk_size=3)


def test_the_fitness_is_the_mean_over_the_seeds(evaluator: FunctionEvaluator) -> None:
    """Four calls are a chunk of three, and one that is filled up."""
    found = evaluate(evaluator, [CROSS_ENTROPY, DOUBLED])
    assert [one.fitness for one in found] == pytest.approx([expected(1), expected(2)], rel=1e-5)
    assert [(one.status, one.steps) for one in found] == [("trained", 2)] * 2


def test_numbers_that_are_not_finite_are_failures(evaluator: FunctionEvaluator) -> None:
    (failed,) = evaluate(evaluator, [LossTree.parse("log(x) + y")])
    assert (failed.fitness, failed.status) == (None, "non_finite")


def test_one_program_serves_a_search() -> None:
    num_traces = 0

    def slope(loss: Any, key: jax.Array) -> Any:
        nonlocal num_traces
        num_traces += 1
        return -jax.grad(lambda logits: loss(logits, jnp.array([1.0, 0.0])))(jnp.zeros(2))[0]

    evaluator = FunctionEvaluator(slope)
    assert num_traces == 1  # by the check, and the identity
    strategy = GenerationalSearch(GeneticConfig(population_size=8, num_elites=2), seed=0, initial=[CROSS_ENTROPY])
    search = Search(strategy, evaluator)
    search.run(24)
    assert len({one.tree for one in search.evaluations if one.status == "trained"}) > 1
    assert num_traces == 2
    assert search.best is not None
    assert search.best.fitness == max(one.fitness for one in search.evaluations if one.fitness is not None)


def test_the_journal_knows_a_function_by_what_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def product(factor: float) -> FunctionEvaluator:
        def function(loss: Any, key: jax.Array) -> Any:
            return factor * loss(jnp.zeros(2), jnp.array(0))

        return FunctionEvaluator(function, journal=TrainingJournal(tmp_path / "journal.jsonl"))

    (first,) = evaluate(product(1.0), [CROSS_ENTROPY])
    (other,) = evaluate(product(2.0), [CROSS_ENTROPY])
    assert [first.fitness, other.fitness] == pytest.approx([np.log(2), 2 * np.log(2)], abs=1e-6)
    again = product(1.0)
    monkeypatch.setattr(again._pool, "wait", None)  # nothing is called
    assert evaluate(again, [CROSS_ENTROPY]) == [first]


def test_for_numbers_the_link_is_the_identity() -> None:
    def function(loss: Any, key: jax.Array) -> Any:
        return loss(jnp.array([3.0]), jnp.array([-4.0]))

    (found,) = evaluate(FunctionEvaluator(function, link="identity"), [SQUARED])
    assert found.fitness == 49


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (3, {}, r"Got 3; expected function\(loss, key\)"),
        (lambda loss: 1.0, {}, r"<lambda> cannot be called as function\(loss, key\)\. It says: .*positional argument"),
        (lambda loss, key: jnp.ones(2), {}, r"<lambda> gives float32 of shape \(2,\); expected one number"),
        (lambda loss, key: 1j, {}, "<lambda> gives complex64 of shape"),
        (lambda loss, key: loss(jnp.ones(2), jnp.ones(3)), {}, r"Labels of shape \(3,\) do not fit outputs of shape"),
        (value_and_slope, {"link": "probit"}, "link is 'probit'; expected one of softmax, sigmoid, identity"),
        (value_and_slope, {"chunk_size": 0}, "chunk_size is 0; expected a whole number of at least 1"),
        (value_and_slope, {"rule": FitnessRule(num_steps=3)}, "use a rule of seeds alone"),
    ],
)
def test_what_gives_no_number_is_refused_before_anything_runs(
    function: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        FunctionEvaluator(function, **options)
    assert "\n" not in str(caught.value)


def test_a_function_has_no_learning_rate(evaluator: FunctionEvaluator) -> None:
    with pytest.raises(ConfigurationError, match="use a rule of seeds alone"):
        evaluate(evaluator, [CROSS_ENTROPY], FitnessRule(learning_rates=(0.1,)))
