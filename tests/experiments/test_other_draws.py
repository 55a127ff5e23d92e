"""A contest's losses over other draws of the wrong labels: paired statistics against SciPy, and real trainings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import contest, other_draws
from experiments.contest import name_of
from experiments.other_draws import FIRST_DRAW, Options, p_of_the_claim, paired
from experiments.records import Records, write_record
from experiments.report import Paired
from glojax.errors import ConfigurationError

WRONG = ("--dataset", "digits", "--steps", "5", "--label-noise", "0.4")

#: The best losses of a contest, and two of the literature, of which one has the shape of the found one.
RATES = {
    "cross_entropy": ("x * log(y)", 0.3),
    "mean_absolute_error": ("-2 * x * (1 - y)", 0.8),
    "focal": ("x * log(y) * (1 - y)^2", 0.4),
    "found_0": ("x * y", 0.5),
    "random_0": ("x * sqrt(y)", 0.5),
    "tuned_cross_entropy_0": ("(0.9 * x + 0.01) * log(y)", 0.3),
}


def loss(name: str) -> dict[str, Any]:
    expression, rate = RATES[name]
    scores = {"mean": 0.5, "sd": 0.1, "values": [0.4, 0.6]}
    common = {"name": name, "expression": expression, "learning_rate": rate, "non_finite": 0, "tried": []}
    return common | {"validation": scores, "test": scores}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of a contest on digits with wrong labels."""
    monkeypatch.setattr(contest, "TASKS", {"tiny": WRONG})
    monkeypatch.setattr(other_draws, "TASKS", ("tiny",))
    outcome = {
        "best": {kind: f"{kind}_0" for kind in ("found", "random", "tuned_cross_entropy")} | {"literature": "focal"},
        "weight_decay": {"tuned_cross_entropy_0": 0.5},
        "losses": [loss(name) for name in RATES],
    }
    write_record(tmp_path / f"{name_of('tiny')}.json", {"format": 1, "outcome": outcome})
    return tmp_path


def test_differences_are_paired_and_corrected_for_their_number() -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(0.9, 0.05, 20)
    others = {gap: found - gap + rng.normal(0, 0.01, 20) for gap in (0.005, 0.02, 0.0)}
    judged = paired(found.tolist(), {str(gap): scores.tolist() for gap, scores in others.items()})

    tests = [stats.ttest_rel(found, others[gap]) for gap in (0.02, 0.005, 0.0)]
    expected = [factor * test.pvalue for factor, test in zip((3, 2, 1), tests, strict=True)]
    assert [judged[name].p for name in ("0.02", "0.005", "0.0")] == pytest.approx(np.maximum.accumulate(expected))
    assert judged["0.02"].interval == pytest.approx(tuple(tests[0].confidence_interval(0.95)))
    assert judged["0.02"].difference == pytest.approx(found.mean() - others[0.02].mean())


def test_losses_that_never_differ_have_no_p_value_and_count() -> None:
    found, other = [0.5, 0.625, 0.75], [0.5, 0.5, 0.625]
    judged = paired(found, {"same": found, "other": other})
    assert judged["same"] == Paired(0, (0, 0), None)
    assert judged["other"].p == pytest.approx(2 * stats.ttest_rel(found, other).pvalue)


def test_that_all_are_beaten_has_the_largest_p_of_any() -> None:
    found, near, far = [0.5, 0.625, 0.75, 0.625], [0.5, 0.625, 0.625, 0.5], [0.25, 0.25, 0.5, 0.25]
    losses = [{"name": name, "test": test} for name, test in (("found_0", found), ("focal", near), ("brier", far))]
    outcome = {"best": {"found": "found_0"}, "losses": losses}
    assert p_of_the_claim(outcome) == pytest.approx(stats.ttest_rel(found, near).pvalue)
    assert p_of_the_claim(outcome | {"losses": [*losses, {"name": "poly1", "test": found}]}) == 1


def test_all_losses_train_on_each_draw(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--tasks", "tiny", "--draws", "2", "--devices", "1", "--results", str(results)]
    assert other_draws.main(arguments) == 0
    record = Records(results).search(other_draws.name_of("tiny"))
    assert record is not None
    outcome = record["outcome"]
    scores = {one["name"]: one["test"] for one in outcome["losses"]}
    assert outcome["draws"] == [FIRST_DRAW, FIRST_DRAW + 1]
    assert set(scores) == set(RATES)
    assert any(len(set(each)) == 2 for each in scores.values())
    assert scores["found_0"] == scores["mean_absolute_error"]
    assert scores["tuned_cross_entropy_0"] != scores["cross_entropy"]
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| tiny |")]
    assert f"| {np.mean(scores['found_0']):.4f} | " in row
    gain = np.mean(np.subtract(scores["found_0"], scores["cross_entropy"]))
    assert f"| {gain:+.4f} (" in row

    before = (results / f"{other_draws.name_of('tiny')}.json").stat().st_mtime_ns
    assert other_draws.main(arguments) == 0
    assert (results / f"{other_draws.name_of('tiny')}.json").stat().st_mtime_ns == before


def test_a_task_needs_something_drawn_and_a_contest(results: Path) -> None:
    with pytest.raises(ConfigurationError, match="draws is 1; expected at least 2"):
        Options(draws=1)
    with pytest.raises(ConfigurationError, match="Nothing is drawn for 'digits'; expected some of 'tiny'"):
        Options(tasks=("digits",))
    (results / f"{name_of('tiny')}.json").unlink()
    with pytest.raises(ConfigurationError, match="The contest 'tiny' has no record; expected one"):
        other_draws.run(Options(tasks=("tiny",), results=results))
