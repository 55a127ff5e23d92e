"""The race of losses against cross-entropy, with a pool that trains nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from glojax.evaluation import (
    Evaluation,
    PoolEvaluator,
    RaceRule,
    Rung,
    Trained,
    Training,
    TrainingJournal,
    evaluate,
    shape_of,
)
from glojax.expressions import LossTree
from glojax.losses import CATALOG, PUBLISHED
from glojax.training import TrainingConfig, TrainResult
from tests.evaluation.fake_pool import FakePool, scalar_result

CONFIG = TrainingConfig(num_steps=100, batch_size=64, learning_rate=0.05)
RULE = RaceRule(
    rate=0.9,
    power=1.0,
    factors=(0.5, 1.0, 2.0),
    rungs=(Rung(10, 1, 0.2), Rung(20, 3, 0.4)),
    bar=0.8,
    seeds=(5, 6, 7),
    audit_share=0.0,
    num_classes=10,
    prob_epsilon=1e-7,
)
CROSS_ENTROPY = LossTree.parse("x * log(y)")

Score = Callable[[int, float, int], float]


class Race:
    """Evaluates losses; `score` gives the score of a training from its steps, multiple of the normal rate and seed."""

    def __init__(self, score: Score, rule: RaceRule = RULE, metric: str = "accuracy"):
        def result(training: Training) -> TrainResult:
            steps = int(training.context.partition(" ")[0])
            normal = rule.rate / abs(shape_of(training.tree, 10).pull)
            factor = round(training.learning_rate / normal, 3)
            self.trained.append((steps, factor, training.seed))
            return scalar_result(score(*self.trained[-1]), steps=0 if self.crashes else steps)

        self.crashes = False
        self.trained: list[tuple[int, float, int]] = []
        self._pool, self._rule = FakePool(result), rule
        self.evaluator = PoolEvaluator(self._pool, replace(CONFIG, metric=metric), rule)

    def __call__(self, text: str = "x * log(y)") -> Evaluation:
        return evaluate(self.evaluator, [LossTree.parse(text)])[0]


def test_a_loss_that_does_well_climbs_the_rungs_and_gets_all_seeds_at_its_best_rate() -> None:
    race = Race(lambda steps, factor, seed: {0.5: 0.8, 1.0: 0.9, 2.0: 0.5}[factor] + seed / 1000)
    evaluation = race()
    assert race.trained == [
        (10, 0.5, 5),
        *((20, factor, 5) for factor in (0.5, 1.0, 2.0)),
        *((100, factor, seed) for factor, seed in ((1.0, 5), (1.0, 6), (1.0, 7))),
    ]
    assert (evaluation.status, evaluation.fitness, evaluation.learning_rate) == ("trained", 0.906, 1.0)
    assert evaluation.steps == 10 + 3 * 20 + 3 * 100
    assert evaluation.scores("validation") == [0.905, 0.906, 0.907]


def test_a_training_that_crashes_on_a_rung_is_a_crash() -> None:
    race = Race(lambda steps, factor, seed: 0.9)
    race.crashes = True
    evaluation = race()
    assert (evaluation.status, evaluation.fitness, evaluation.rejected_by) == ("crashed", None, None)
    assert len(race.trained) == 1


def test_rates_that_are_close_after_the_last_rung_are_all_trained_in_full() -> None:
    race = Race(lambda steps, factor, seed: 0.5 if steps < 100 else {0.5: 0.7, 1.0: 0.6, 2.0: 0.65}[factor])
    evaluation = race()
    assert [training for training in race.trained if training[0] == 100] == [(100, factor, 5) for factor in (0.5, 1, 2)]
    assert (evaluation.fitness, evaluation.learning_rate, len(evaluation.trials)) == (0.7, 0.5, 3)


@pytest.mark.parametrize(
    ("metric", "scores"),
    [("calibration_error", {0.5: 0.3, 1.0: 0.2, 2.0: 0.21}), ("log_likelihood", {0.5: -0.3, 1.0: -0.2, 2.0: -0.21})],
)
def test_a_fitness_below_zero_is_raced_in_the_same_way(metric: str, scores: dict[float, float]) -> None:
    rule = replace(RULE, rungs=(Rung(10, 1, -0.4), Rung(20, 3, -0.25)), bar=-0.2)
    race = Race(lambda steps, factor, seed: scores[factor], rule, metric)
    evaluation = race()
    assert [training for training in race.trained if training[0] == 100] == [
        *((100, factor, 5) for factor in (1.0, 2.0)),
        *((100, 1.0, seed) for seed in (6, 7)),
    ]
    assert (evaluation.fitness, evaluation.learning_rate) == (-0.2, 1.0)
    behind = Race(lambda steps, factor, seed: 1.5 * scores[factor], rule, metric)()
    assert (behind.rejected_by, behind.steps) == ("rung", 10)


def test_a_loss_below_cross_entropy_gets_no_further_seed() -> None:
    race = Race(lambda steps, factor, seed: 0.85 if seed == 5 else 0.7)
    assert race().fitness == 0.775
    assert {seed for *_, seed in race.trained} == {5, 6}


@pytest.mark.parametrize(("scores", "steps"), [({10: 0.1, 20: 0.9}, 10), ({10: 0.3, 20: 0.3}, 10 + 60)])
def test_a_loss_that_is_behind_on_a_rung_is_rejected(scores: dict[int, float], steps: int) -> None:
    evaluation = Race(lambda steps, factor, seed: scores[steps])()
    assert (evaluation.status, evaluation.rejected_by, evaluation.fitness) == ("rejected", "rung", None)
    assert evaluation.steps == steps
    assert evaluation.rung_fitness == scores[20 if steps > 10 else 10]


@pytest.mark.parametrize(("text", "rule"), [("-x * log(y)", "pull"), ("x + log(y)", "gradient")])
def test_what_cannot_learn_is_rejected_before_any_training(text: str, rule: str) -> None:
    race = Race(lambda steps, factor, seed: 0.9)
    assert (race(text).rejected_by, race.trained) == (rule, [])


@pytest.mark.parametrize("text", ["-x * log(y)", "x * log(y)"])
def test_an_audited_loss_is_trained_in_full_at_all_rates_all_the_same(text: str) -> None:
    race = Race(lambda steps, factor, seed: 0.95 if steps == 100 else 0.1, replace(RULE, audit_share=1.0))
    evaluation = race(text)
    assert (evaluation.status, evaluation.fitness) == ("trained", 0.95)
    assert evaluation.rejected_by == ("pull" if text.startswith("-") else "rung")
    assert [training for training in race.trained if training[0] == 100][:3] == [(100, rate, 5) for rate in (0.5, 1, 2)]
    assert race("x + log(y)").status == "rejected"


def test_about_the_share_of_all_losses_is_audited() -> None:
    rule = replace(RULE, audit_share=0.05)
    shapes = [shape_of(LossTree.parse(f"x * log(y) + {c}.5*y^2"), 10) for c in range(1000)]
    assert 30 <= sum(map(rule.is_audited, shapes)) <= 70


def test_losses_of_one_shape_are_trained_once() -> None:
    race = Race(lambda steps, factor, seed: 0.9)
    first, again = race(), race("3 * y - log(y) * x^2 * -2")
    assert again == first.again()


def test_all_published_losses_are_trained() -> None:
    race = Race(lambda steps, factor, seed: 0.5)
    for name, tree in CATALOG.items():
        if PUBLISHED[name].domain == "probability":
            assert race(str(tree)).rejected_by is None


def test_an_optimizer_that_does_not_see_the_scale_gets_cross_entropys_rate() -> None:
    rule = replace(RULE, power=0.0)
    assert rule.rates(shape_of(LossTree.parse("7 * x * log(y)"), 10)) == [0.45, 0.9, 1.8]


class LastFirst(FakePool):
    def wait(self) -> list[Trained]:
        self._waiting.rotate(1)
        return super().wait()


def test_the_ordered_journal_does_not_depend_on_the_order_in_which_trainings_end(tmp_path: Path) -> None:
    trees = [LossTree.parse(text) for text in ("x * log(y)", "x * sqrt(y)", "log(y) - x / y")]
    files = []
    for kind in (FakePool, LastFirst):
        pool = kind(lambda training: scalar_result(0.9, steps=int(training.context.partition(" ")[0])))
        path = tmp_path / f"{kind.__name__}.jsonl"
        evaluator = PoolEvaluator(pool, CONFIG, RULE, journal=TrainingJournal(path))
        evaluate(evaluator, trees)
        files.append(path.read_bytes())
        evaluator.journal.put_in_order()
        files.append(path.read_bytes())
    assert len(files[0].splitlines()) == 3 * 9
    assert files[0] != files[2]
    assert files[1] == files[3]
