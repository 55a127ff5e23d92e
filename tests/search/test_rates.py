"""The sweep of learning rates, with a pool that trains nothing."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from glojax.evaluation import PoolEvaluator, Training
from glojax.expressions import LossTree
from glojax.search.rates import normalised_rate, race, scale_power, sweep
from glojax.training import TrainingConfig, TrainResult
from tests.evaluation.fake_pool import FakePool, scalar_result

CONFIG = TrainingConfig(num_steps=150, batch_size=64, learning_rate=0.05)
CROSS_ENTROPY, BAIKAL = LossTree.parse("x * log(y)"), LossTree.parse("log(y) - x / y")


def evaluator(best: float, metric: str = "accuracy") -> PoolEvaluator:
    def result(training: Training) -> TrainResult:
        factor = training.learning_rate / best
        score = round(max(0.0, 0.9 - 0.1 * abs(math.log(factor))), 6)
        return scalar_result(1 - score if metric == "calibration_error" else score, finite=factor < 3000)

    return PoolEvaluator(FakePool(result), replace(CONFIG, metric=metric))


@pytest.mark.parametrize("metric", ["accuracy", "calibration_error", "log_likelihood"])
@pytest.mark.parametrize("best", [0.05, 0.1, 0.7, 4.0, 0.0009])
def test_a_sweep_finds_the_best_rate_however_far_it_starts(best: float, metric: str) -> None:
    found = sweep(evaluator(best, metric), {"loss": CROSS_ENTROPY}, {"loss": 0.05}, (1, 2))["loss"]
    rates = [trial.learning_rate for trial in found.tried]
    assert rates == sorted(rates)
    assert abs(math.log(found.best.learning_rate / best)) <= math.log(3) / 4 + 1e-6
    assert min(rates) < found.best.learning_rate < max(rates)
    sign = -1 if metric == "calibration_error" else 1
    assert found.fitness == max(sign * one.mean_validation for one in found.tried if one.mean_validation is not None)


def test_a_rate_without_a_score_is_not_the_best() -> None:
    found = sweep(evaluator(1e-5, "log_likelihood"), {"loss": CROSS_ENTROPY}, {"loss": 0.05}, (1,))["loss"]
    assert found.tried[-1].mean_validation is None
    assert found.best.mean_validation is not None


def test_a_sweep_of_a_loss_that_never_learns_ends() -> None:
    found = sweep(evaluator(1e30), {"loss": CROSS_ENTROPY}, {"loss": 0.05}, (1,))["loss"]
    assert len(found.tried) <= 18
    assert found.best.mean_validation == 0


@pytest.mark.parametrize("start", [1e-37, 1e37])
def test_a_sweep_from_the_end_of_all_rates_tries_none_beyond(start: float) -> None:
    found = sweep(evaluator(1.0), {"loss": CROSS_ENTROPY}, {"loss": start}, (1,))["loss"]
    assert all(1e-37 <= trial.learning_rate <= 1e37 for trial in found.tried)


def test_the_last_rates_are_chosen_between_with_all_seeds() -> None:
    trained = []

    def result(training: Training) -> TrainResult:
        trained.append(training)
        rate = training.learning_rate
        fails = rate > 0.14 and training.seed > 3  # only after the first quarter
        return scalar_result(0.0 if fails else 0.9 - 0.1 * abs(math.log(rate / 0.15)))

    found = sweep(PoolEvaluator(FakePool(result), CONFIG), {"loss": CROSS_ENTROPY}, {"loss": 0.05}, range(12))["loss"]
    assert found.best.learning_rate == pytest.approx(0.15 / math.sqrt(3))
    seeds = Counter(training.learning_rate for training in trained)
    assert sorted(seeds.values()) == [3] * (len(seeds) - 3) + [12] * 3
    assert len(found.tried) == len(seeds)
    assert max(one.mean_validation for one in found.tried if one.mean_validation is not None) == found.fitness


@pytest.mark.parametrize(("optimizer", "power"), [("sgd", 1.0), ("adam", 0.0), ("lion", 0.0)])
def test_the_power_of_the_scale_is_that_of_the_optimizers_first_step(optimizer: str, power: float) -> None:
    config = TrainingConfig(num_steps=1, batch_size=1, learning_rate=1, optimizer=optimizer)
    assert scale_power(config) == pytest.approx(power, abs=0.01)
    rate = normalised_rate(0.3, BAIKAL, 10, config)
    assert rate == pytest.approx(0.3 / 10 ** scale_power(config))


def test_the_bars_of_a_race_are_half_way_from_an_untrained_network_to_cross_entropy() -> None:
    rule, rival = race(
        evaluator(0.4), {CROSS_ENTROPY: 0.4}, (1, 2), factors=(0.5, 1.0, 2.0), audit_share=0.1, num_classes=10
    )
    untrained, lowest, best = 0.0, 0.9 - 0.1 * np.log(2), 0.9
    assert [(rung.num_steps, rung.num_rates) for rung in rule.rungs] == [(10, 1), (20, 3)]
    assert [rung.bar for rung in rule.rungs] == pytest.approx(
        [(untrained + lowest) / 2, (untrained + best) / 2], abs=1e-5
    )
    assert (rule.bar, rival, rule.seeds, rule.audit_share) == (0.9, 0.9, (1, 2), 0.1)
    assert rule.rates(rule.shape(CROSS_ENTROPY)) == pytest.approx([0.2, 0.4, 0.8])
    assert rule.rates(rule.shape(BAIKAL)) == pytest.approx([0.02, 0.04, 0.08])


def test_a_loss_needs_the_score_of_the_best_standard_loss_for_further_seeds() -> None:
    rates = {BAIKAL: 0.4, CROSS_ENTROPY: 0.8}
    rule, rival = race(evaluator(0.4), rates, (1, 2), factors=(1.0,), audit_share=0.1, num_classes=10)
    assert rule.bar == 0.9
    assert rival == pytest.approx(0.9 - 0.1 * math.log(2), abs=1e-5)
    assert rule.rates(rule.shape(CROSS_ENTROPY)) == pytest.approx([0.8])
