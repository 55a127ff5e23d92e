"""The cost of a search, and the settings of the strategy: real searches on digits, tiny ones."""

import json
from pathlib import Path

import pytest

from experiments import search_cost, strategy_settings
from experiments.records import Records, write_record
from experiments.search_cost import Options, leaders, literature, name_of, race_of, report
from experiments.tasks import OpenTask, open_task
from glojax.evaluation import FitnessRule
from glojax.losses import CATALOG

pytestmark = pytest.mark.usefixtures("linear_network")

TINY = ("--dataset", "digits", "--steps", "5", "--rate-seeds", "2", "--population-size", "20")


@pytest.fixture
def task(tmp_path: Path) -> OpenTask:
    return open_task(TINY, 3, None, 1, tmp_path / "trainings.jsonl")


def test_leaders_get_better_at_a_growing_cost(task: OpenTask) -> None:
    *found, end = leaders(task, FitnessRule((3000,)), lambda tree: tree.uses("x") and tree.uses("y"), 40)
    fitness, steps = [one.fitness for one in found], [one.candidate_steps for one in found]
    assert fitness == sorted(set(fitness))
    assert steps == sorted(steps)
    # Every candidate is trained once, at one rate, and stops where it is no longer finite; or not at all.
    assert end.tree == found[-1].tree
    assert steps[-1] <= end.candidate_steps <= 5 * len(task.journal)


def test_what_the_race_needs_is_counted(task: OpenTask) -> None:
    rule, steps = race_of(task)
    assert (rule.seeds, rule.num_first(task.evaluator().config)) == ((3000, 3001, 3002), 1)
    assert 0 < steps <= 5 * len(task.journal)


def test_both_searches_begin_with_the_losses_of_the_literature(task: OpenTask) -> None:
    initial = literature(task)
    assert len(initial) == 14
    assert initial[:2] == [CATALOG["cross_entropy"], CATALOG["label_smoothing"]]


def test_the_table_has_medians_over_the_searches(tmp_path: Path) -> None:
    for seed, steps in enumerate((1000, 2000, 9000)):
        end = {"candidate_steps": steps, "test": 0.95}
        paper = {"candidate_steps": 100_000, "test": 0.9}
        outcome = {"paper": paper, "shape": [end], "sweep_steps": 1000}
        record = {"format": 1, "outcome": outcome}
        write_record(tmp_path / f"{name_of(Options(), 'clean', seed)}.json", record)
    text = report(Options(tasks=("clean",)), Records(tmp_path)).text
    assert "| clean | 3 | 100,000 | 0.9000 | 2,000 | 0.020 | 0.030 | 0.9500 | 3 of 3 |" in text


def test_a_cost_is_measured_and_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--searches", "1", "--tasks", "clean", "--steps", "3", "--candidates", "14", "--seeds", "2"]
    assert search_cost.main([*arguments, "--devices", "1", "--results", str(tmp_path)]) == 0
    assert "| clean | 1 |" in capsys.readouterr().out
    (path,) = tmp_path.rglob("*.json")
    outcome = json.loads(path.read_text())["outcome"]
    assert outcome["paper"]["candidate_steps"] <= 3 * 40
    *before, end = outcome["shape"]
    assert all(one["test"] < outcome["paper"]["test"] for one in before)
    assert end["candidate_steps"] >= sum(one["candidate_steps"] for one in before[-1:])


def test_every_setting_is_one_of_the_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(strategy_settings, "TASKS", {"clean": ()})
    arguments = ["--searches", "1", "--steps", "3", "--candidates", "20", "--devices", "1", "--results", str(tmp_path)]
    assert strategy_settings.main(arguments) == 0
    assert "| clean | 1 | tournament of 10 |" in capsys.readouterr().out
    (path,) = tmp_path.rglob("*.json")
    outcome = json.loads(path.read_text())["outcome"]
    assert set(outcome) == set(strategy_settings.SETTINGS)
    numbers = {name: one["candidates"] for name, one in outcome.items()}
    assert numbers.pop(strategy_settings.RANDOM) >= 20
    assert set(numbers.values()) == {20}
