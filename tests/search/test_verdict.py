"""The verdict on compared losses, and the interval of the audit."""

import numpy as np
import pytest
from scipy import stats

from glojax.search.comparison import ComparedLoss, Comparison, Scores, WelchTest
from glojax.search.verdict import Tally, judge


def compared(*values: list[float]) -> Comparison:
    def p_value(first: list[float], second: list[float]) -> float | None:
        return None if not second else float(stats.ttest_ind(first, second, equal_var=False).pvalue)

    losses = [
        ComparedLoss(str(index), "x * y", 0.1, Scores.of(each), Scores.of(each), 0, [])
        for index, each in enumerate(values)
    ]
    tests = [WelchTest("0", str(index), p_value(values[0], each)) for index, each in enumerate(values[1:], start=1)]
    return Comparison(losses, tests)


@pytest.fixture
def values() -> list[list[float]]:
    rng = np.random.default_rng(0)
    return [list(rng.normal(mean, 0.01, 8)) for mean in (0.96, 0.94, 0.955, 0.99)]


def test_verdicts_are_welchs_test_and_interval_corrected_by_holm(values: list[list[float]]) -> None:
    verdicts = judge(compared(*values), "0", ["1", "2", "3"], "accuracy")
    raw = [stats.ttest_ind(values[0], other, equal_var=False) for other in values[1:]]
    for one, test, other in zip(verdicts, raw, values[1:], strict=True):
        assert one.interval == pytest.approx(tuple(test.confidence_interval(0.95)), abs=1e-6)
        assert one.difference == pytest.approx(np.mean(values[0]) - np.mean(other), abs=1e-6)
    order = np.argsort([test.pvalue for test in raw])
    expected = np.maximum.accumulate([(3 - rank) * raw[index].pvalue for rank, index in enumerate(order)])
    assert [verdicts[index].p for index in order] == pytest.approx(list(np.minimum(expected, 1)))
    assert [one.better for one in verdicts] == [True, False, False]
    words = ["it is better than 1", "it is no better than 2", "it is worse than 3"]
    assert all(word in one.sentence for word, one in zip(words, verdicts, strict=True))


def test_the_verdict_has_the_metrics_name_and_direction(values: list[list[float]]) -> None:
    verdicts = judge(compared(*values), "0", ["1", "2", "3"], "calibration error", lower_is_better=True)
    assert [one.better for one in verdicts] == [False, False, True]
    words = ["it is worse than 1", "it is no better than 2", "it is better than 3"]
    assert all(word in one.sentence for word, one in zip(words, verdicts, strict=True))
    assert verdicts[0].sentence.startswith(f"Test calibration error {np.mean(values[0]):.4f} at its own best rate 0.1")


def test_nothing_can_be_told_of_a_loss_without_a_score(values: list[list[float]]) -> None:
    (verdict,) = judge(compared(values[0], []), "0", ["1"], "log likelihood")
    assert (verdict.better, verdict.difference, verdict.interval) == (None, None, None)
    assert "1 none at its own, 0.1; whether it is better cannot be told" in verdict.sentence


def test_nothing_can_be_told_where_trainings_broke_off_without_a_score(values: list[list[float]]) -> None:
    verdicts = judge(compared(values[0], values[1][1:], values[2]), "0", ["1", "2"], "log likelihood")
    assert [one.better is None for one in verdicts] == [True, False]
    assert "cannot be told, as 1 of the trainings of the two broke off, without a score" in verdicts[0].sentence


def test_trainings_are_missed_where_each_loss_has_lost_some(values: list[list[float]]) -> None:
    losses = compared(values[0][1:], values[1][1:])
    assert judge(losses, "0", ["1"], "log likelihood")[0].better
    (verdict,) = judge(losses, "0", ["1"], "log likelihood", num_seeds=8)
    assert verdict.better is None
    assert "cannot be told, as 2 of the trainings of the two broke off, without a score" in verdict.sentence


def test_of_one_seed_nothing_can_be_told() -> None:
    half = Scores.of([0.5])
    losses = [ComparedLoss(name, "x * y", 0.1, half, half, 0, []) for name in "ab"]
    (verdict,) = judge(Comparison(losses, [WelchTest("a", "b", None)]), "a", ["b"], "accuracy")
    assert (verdict.better, verdict.p, verdict.interval) == (None, None, None)
    assert "cannot be told" in verdict.sentence


def test_the_interval_of_the_audit_is_wilsons() -> None:
    tally = Tally(bar=0.9, checked=20, false_rejections=1)
    p, n, z = 1 / 20, 20, 1.959964
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert tally.interval == pytest.approx(
        ((centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)), abs=1e-5
    )
    assert Tally(bar=0.9).interval == (0.0, 1.0)
    assert "1 of 20 rejections false" in tally.audit
