"""Found losses against the literature and other methods: real searches and trainings on digits, tiny ones."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from experiments import contest, longer_verdict, rivals, transfer
from experiments.contest import name_of
from experiments.contest_report import METHODS, at_best_rate, kinds, verdicts
from experiments.entrants import Entrant, at_best, compared, evaluator_of, swept
from experiments.records import Records, write_record
from experiments.tasks import OpenTask, open_task
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree
from glojax.losses import CATALOG, PUBLISHED

pytestmark = pytest.mark.usefixtures("linear_network")

TINY = ("--dataset", "digits", "--steps", "5", "--rate-seeds", "2", "--finalist-seeds", "2")

#: What a search leaves in its record, as far as it is read.
RESULT: dict[str, Any] = {
    "expression": "x * sqrt(y)",
    "learning_rate": 0.5,
    "control": {"expression": "x * y", "learning_rate": 1.0},
    "search": {"candidates": 480, "candidate_steps": 100},
    "discovered": {"finalists": [{"seeds": [1, 2]}, {"seeds": [1]}]},
    "tuned": {"finalists": [{"seeds": [1, 2, 3]}]},
    "comparison": [
        {
            **{"name": name, "expression": "x * y", "learning_rate": 0.1, "non_finite": 0, "tried": []},
            **{split: {"mean": 0.5, "sd": 0.1, "values": [0.4, 0.6]} for split in ("validation", "test")},
        }
        for name in ("tuned", "cross_entropy", "baikal", "baikal_cma")
    ],
}


TUNING = [{"candidate_steps": 20}, {"candidate_steps": 5}]


@pytest.fixture
def task(tmp_path: Path) -> OpenTask:
    return open_task(TINY, 3, None, 1, tmp_path / "trainings.jsonl")


def write_search(results: Path, name: str) -> None:
    write_record(results / f"{name}.json", {"format": 1, "outcome": {"result": RESULT, "tuning": TUNING}})


def test_a_contest_compares_every_method_with_the_literature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contest, "TASKS", {"tiny": TINY})
    monkeypatch.setattr(rivals, "WEIGHT_DECAYS", (0.0, 0.01))
    literature = {name: PUBLISHED[name] for name in ("cross_entropy", "baikal_cma", "focal", "squared_error")}
    monkeypatch.setattr(contest, "PUBLISHED", literature)
    write_search(tmp_path, name_of("tiny", 0))
    arguments = ["--tasks", "tiny", "--searches", "1", "--seeds", "2", "--devices", "1", "--results", str(tmp_path)]
    assert contest.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "### tiny" in printed
    record = Records(tmp_path).search(name_of("tiny"))
    assert record is not None
    outcome = record["outcome"]
    assert outcome["budget"] == 100 + 25 + 6 * 5  # search, tuning, trainings of five steps with fresh seeds
    by_kind = kinds(loss["name"] for loss in outcome["losses"])
    assert set(by_kind) == {"literature", *METHODS}
    assert by_kind["literature"] == ["baikal_cma", "focal"]
    assert [loss["name"] for loss in outcome["longer"]] == ["cross_entropy", *outcome["best"].values()]
    losses = at_best_rate(outcome["losses"])
    judged = verdicts(losses, "found_0")
    for name, verdict in judged.items():
        found, other = (np.mean(losses[each].test.values) for each in ("found_0", name))
        assert verdict.difference == pytest.approx(found - other, abs=2e-6)
    assert set(judged) == set(losses) - {"found_0"}
    # The tables of all tasks: test scores, cross-entropy's first and the found loss's last; then the differences.
    scores, differences = (
        [cell.strip() for cell in line.split("|")[2:-1]] for line in printed.splitlines() if line.startswith("| tiny |")
    )
    found, rival = (np.mean(losses[name].test.values) for name in ("found_0", "cross_entropy"))
    assert (scores[0], scores[-1]) == (f"{rival:.4f}", f"{found:.4f}")
    assert float(differences[0].split()[0]) == pytest.approx(found - rival, abs=6e-5)
    # All records are there: nothing is trained again.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert contest.main(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before


def test_names_of_the_literature_are_no_methods() -> None:
    assert kinds(["cross_entropy", "taylor_early", "taylor_0", "found_11", "random_x"]) == {
        "literature": ["taylor_early", "random_x"],
        "taylor": ["taylor_0"],
        "found": ["found_11"],
    }


def test_losses_of_equal_shape_have_the_better_rate() -> None:
    (first, *_) = RESULT["comparison"]
    scores = {"mean": 0.7, "sd": 0.0, "values": [0.7, 0.7]}
    twice = first | {"name": "again", "expression": "2 * x * y", "learning_rate": 0.05, "validation": scores}
    other = first | {"name": "other", "expression": "x * log(y)"}
    losses = at_best_rate([first, twice, other])
    assert [one.learning_rate for one in losses.values()] == [0.05, 0.05, 0.1]
    assert [one.name for one in losses.values()] == ["tuned", "again", "other"]


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Unknown task 'digit'"):
        contest.Options(tasks=("digit",))


@pytest.mark.parametrize("task", [one for one, given in contest.TASKS.items() if not {"mnist", "cifar10"} & {*given}])
def test_every_task_has_the_examples_of_a_batch(task: str, tmp_path: Path) -> None:
    opened = open_task(contest.TASKS[task], contest.SEED, None, 1, tmp_path / "trainings.jsonl")
    assert 0 < opened.options.training.batch_size <= len(opened.dataset.train)
    opened.evaluator()


def test_searches_are_recorded_beside_their_comparison() -> None:
    assert name_of("digits, 40 % wrong") == "contest/digits_40_wrong"
    assert name_of("digits, 40 % wrong", 3) == "contest/searches/digits_40_wrong_seed_3"


def test_weight_decay_is_that_of_all_parameters(task: OpenTask) -> None:
    entrants = {str(decay): Entrant(CATALOG["cross_entropy"], 0.1, decay) for decay in (0.0, 1.0)}
    entrants = at_best(entrants, swept(task, entrants, 5))
    free, decayed = compared(task, entrants, 5, 2)
    assert (free.name, decayed.name) == ("0.0", "1.0")
    assert free.test.values != decayed.test.values
    assert str(evaluator_of(task, 0.1).config.optimizer) == "experiments.entrants:sgd_with_decay weight_decay=0.1"


def test_a_tuned_cross_entropy_takes_about_as_many_steps_as_it_may(
    task: OpenTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rivals, "WEIGHT_DECAYS", (0.0,))
    tuned = rivals.tuned_cross_entropy(task, 40 * 5, 0.3)
    # Twenty settings with one seed, five with two more, and four with four more.
    assert len(task.journal) == 20 + 5 * 2 + 4 * 4
    assert 0.3 / 4 <= tuned.rate <= 0.3 * 4
    assert tuned.tree.uses("x")
    again = rivals.tuned_cross_entropy(task, 40 * 5, 0.3)
    assert (again, len(task.journal)) == (tuned, 46)


def test_a_verdict_after_longer_training_has_rates_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(longer_verdict.Options, "task", property(lambda options: TINY))
    write_search(tmp_path, longer_verdict.Options(dataset="digits", steps=5).name)
    arguments = [
        "--dataset",
        "digits",
        "--steps",
        "5",
        "--longer",
        "2",
        "--seeds",
        "2",
        "--devices",
        "1",
        "--results",
        str(tmp_path),
    ]
    assert longer_verdict.main(arguments) == 0
    assert "| baikal_cma |" in capsys.readouterr().out
    (path,) = tmp_path.rglob("*_longer.json")
    losses = json.loads(path.read_text())["outcome"]["losses"]
    assert [loss["name"] for loss in losses] == ["found", "cross_entropy", "baikal", "baikal_cma"]
    assert all(len(loss["test"]["values"]) == 2 and np.isfinite(loss["learning_rate"]) for loss in losses)
    LossTree.parse(losses[0]["expression"])


def test_a_transfer_compares_the_found_losses_with_cross_entropy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transfer, "TASKS", {"digits": TINY})
    assert transfer.main(["--tasks", "digits", "--seeds", "2", "--devices", "1", "--results", str(tmp_path)]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| smoothed_root |")]
    (path,) = tmp_path.rglob("*.json")
    means = {loss["name"]: loss["test"]["mean"] for loss in json.loads(path.read_text())["outcome"]}
    assert f"*: {means['smoothed_root'] - means['cross_entropy']:+.4f} (" in row


@pytest.mark.parametrize("script", [contest, transfer])
def test_records_of_a_task_are_of_the_options_that_its_name_stands_for(script: ModuleType) -> None:
    tasks = script.TASKS | getattr(script, "HARD_TASKS", {})
    records = {task: Records().search(script.name_of(task)) for task in tasks}
    known = {task: record["task"] for task, record in records.items() if record is not None}
    assert len(known) >= 3
    assert known == {task: list(tasks[task]) for task in known}
