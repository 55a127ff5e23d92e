from collections.abc import Sequence

import pytest

from glojax.errors import ConfigurationError
from glojax.evaluation import Evaluation, FitnessRule, Trial
from glojax.evaluation.journal import crashed_result
from glojax.expressions import LossTree
from glojax.training import METRICS, Metric, TrainingConfig, TrainResult
from tests.evaluation.fake_pool import scalar_result

CONFIG = TrainingConfig(num_steps=10, batch_size=64, learning_rate=0.05)
TREE = LossTree.parse("x * log(y)")


def evaluation_of(
    rule: FitnessRule, scores: Sequence[float | None], metric: Metric = METRICS["accuracy"]
) -> Evaluation:
    """Return the evaluation by trainings with these scores, None for one that ends after 3 steps."""
    trials = [
        Trial.of(rate, seed, result_of(score), metric)
        for (rate, seed), score in zip(rule.grid(CONFIG), scores, strict=True)
    ]
    return rule.evaluation(TREE, trials, metric.lower_is_better)


def result_of(score: float | None) -> TrainResult:
    return scalar_result(0.0, finite=False, steps=3) if score is None else scalar_result(score)


def test_fitness_is_the_mean_over_the_seeds_and_steps_are_their_sum() -> None:
    evaluation = evaluation_of(FitnessRule(seeds=(2, 1, 5)), [0.5, 0.25, 0.3])
    assert evaluation.tree == TREE
    assert (evaluation.fitness, evaluation.status, evaluation.steps) == (0.35, "trained", 30)
    assert evaluation.learning_rate == 0.05
    assert evaluation.scores("validation") == [0.5, 0.25, 0.3]
    assert [trial.seed for trial in evaluation.trials] == [2, 1, 5]


def test_a_seed_that_fails_counts_as_0_beside_one_that_does_not() -> None:
    evaluation = evaluation_of(FitnessRule(seeds=(0, 1)), [0.5, None])
    assert (evaluation.fitness, evaluation.status, evaluation.steps) == (0.25, "non_finite", 13)


def test_where_a_lower_score_is_better_the_fitness_is_minus_the_score_and_a_failure_counts_as_the_worst() -> None:
    rule = FitnessRule(seeds=(0, 1), learning_rates=(0.01, 0.1, 1.0))
    evaluation = evaluation_of(rule, [0.0, None, 0.3, 0.5, 0.3, 0.2], METRICS["calibration_error"])
    assert (evaluation.learning_rate, evaluation.fitness, evaluation.status) == (1.0, -0.25, "trained")
    assert evaluation.scores("validation", 0.01) == [0.0, 1.0]


def test_without_a_worst_score_a_loss_that_fails_once_has_no_fitness() -> None:
    evaluation = evaluation_of(FitnessRule(seeds=(0, 1)), [0.9, None], METRICS["r2"])
    assert (evaluation.fitness, evaluation.status) == (None, "non_finite")
    assert evaluation.scores("validation") == [0.9]
    rule = FitnessRule(seeds=(0, 1), learning_rates=(0.01, 0.1))
    assert evaluation_of(rule, [0.9, None, -3.0, -2.0], METRICS["r2"]).fitness == -2.5


def test_fitness_is_unknown_if_no_training_was_finite() -> None:
    evaluation = evaluation_of(FitnessRule(seeds=(0, 1)), [None, None])
    assert (evaluation.fitness, evaluation.status, evaluation.steps) == (None, "non_finite", 6)


def test_the_fitness_of_a_trained_loss_that_scores_0_is_0() -> None:
    evaluation = evaluation_of(FitnessRule(), [0.0])
    assert (evaluation.fitness, evaluation.status) == (0.0, "trained")
    assert evaluation.fitness is not None


def test_one_crashed_training_makes_the_fitness_unknown() -> None:
    results = (scalar_result(0.5), crashed_result(("validation",)))
    trials = [Trial.of(0.05, seed, result, METRICS["accuracy"]) for seed, result in enumerate(results)]
    evaluation = FitnessRule(seeds=(0, 1)).evaluation(TREE, trials)
    assert (evaluation.fitness, evaluation.status, evaluation.steps) == (None, "crashed", 10)


@pytest.mark.parametrize(
    ("scores", "rate", "fitness", "status"),
    [
        ([0.1, 0.2, 0.5, 0.3, 0.4, 0.3], 0.1, 0.4, "trained"),
        ([0.4, 0.4, 0.3, 0.5, 0.2, 0.1], 0.01, 0.4, "trained"),  # the first of equals
        ([0.1, 0.1, 0.9, None, 0.2, 0.2], 0.1, 0.45, "non_finite"),
        ([None, None, None, None, 0.1, 0.1], 1.0, 0.1, "trained"),
        ([None, None, 0.0, 0.0, None, None], 0.1, 0.0, "trained"),
        ([None, None, None, None, None, None], 0.01, None, "non_finite"),
    ],
)
def test_of_several_rates_the_best_gives_the_fitness(
    scores: list[float | None], rate: float, fitness: float | None, status: str
) -> None:
    rule = FitnessRule(seeds=(0, 1), learning_rates=(0.01, 0.1, 1.0))
    evaluation = evaluation_of(rule, scores)
    assert (evaluation.learning_rate, evaluation.fitness, evaluation.status) == (rate, fitness, status)
    assert evaluation.scores("validation", 1.0) == [score or 0.0 for score in scores[4:]]
    assert len(evaluation.trials) == 6


def test_a_function_that_comes_again_has_its_fitness_and_takes_no_steps() -> None:
    evaluation = evaluation_of(FitnessRule(), [0.5])
    again = evaluation.again()
    assert (again.status, again.steps) == ("cached", 0)
    assert (again.tree, again.fitness, again.trials) == (evaluation.tree, evaluation.fitness, evaluation.trials)


def test_fitness_and_scores_have_six_decimals() -> None:
    evaluation = evaluation_of(FitnessRule(seeds=(0, 1, 2)), [1 / 3, 2 / 3, 0.0])
    assert evaluation.scores("validation") == [0.333333, 0.666667, 0.0]
    assert evaluation.fitness == 0.333333


def test_a_rule_changes_steps_and_splits_of_a_configuration_and_nothing_else() -> None:
    rule = FitnessRule(num_steps=3, splits=("validation", "test"))
    assert rule.config(CONFIG) == TrainingConfig(3, 64, 0.05, splits=("validation", "test"))
    assert FitnessRule().config(CONFIG) == CONFIG


def test_the_grid_has_each_seed_at_each_rate() -> None:
    assert FitnessRule().grid(CONFIG) == [(0.05, 0)]
    rule = FitnessRule(seeds=[3, 1], learning_rates=[0.1, 0.2])  # type: ignore[arg-type]
    assert rule.grid(CONFIG) == [(0.1, 3), (0.1, 1), (0.2, 3), (0.2, 1)]
    assert hash(rule) == hash(FitnessRule(seeds=(3, 1), learning_rates=(0.1, 0.2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": (3, 1, 3)}, "seeds has 3 more than once; give each seed once"),
        ({"learning_rates": (0.1, 0.2, 0.1)}, "learning_rates has 0.1 and 0.1, which are one number"),
        ({"learning_rates": (-0.1,)}, "learning_rates is -0.1; expected a positive number"),
        ({"seeds": ()}, "There is no seed to train candidates with; give at least one"),
        ({"learning_rates": ()}, "There is no learning rate to train candidates with"),
        ({"splits": ("test",)}, r"splits is \('test',\); expected 'validation' in it"),
    ],
)
def test_a_rule_that_gives_no_fitness_is_refused(arguments: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FitnessRule(**arguments)  # type: ignore[arg-type]
