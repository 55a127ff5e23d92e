"""The ten searches for shapes: what they run, and the table of their records."""

from pathlib import Path
from typing import Any

import pytest
import tyro
from scipy import stats

from experiments import shape_search
from experiments.records import Records, write_record
from experiments.shape_search import TASKS, Options, name_of, report
from glojax.search.__main__ import with_defaults
from glojax.search.options import RunOptions


def test_each_search_is_one_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    options: list[RunOptions] = []

    def parse(experiment: Options, name: str, command: list[str], arguments: list[str]) -> None:
        assert command[3:] == list(arguments)
        options.append(tyro.cli(with_defaults(RunOptions, arguments), args=arguments))

    monkeypatch.setattr(shape_search, "record_search", parse)
    shape_search.search(Options(searches=2, steps=150))
    assert [one.seed for one in options] == [0] * len(TASKS) + [1] * len(TASKS)
    assert all((one.training.num_steps, one.preset, one.control) == (150, "shape", True) for one in options)
    troubles = [(one.label_noise, one.imbalance, one.train_fraction, one.training.metric) for one in options[:4]]
    assert len(set(troubles)) == 4


def result(difference: float, random: float) -> dict[str, Any]:
    means = {"cross_entropy": 0.9, "random": 0.9 + random, "discovered": 0.9 + random + difference / 10}
    comparison = [{"name": name, "test": {"mean": mean}} for name, mean in means.items()]
    search = {"candidate_steps": 1000, "candidates": 480, "audit": {"checked": 10, "false_rejections": 1}}
    return {"verdict": [{"difference": difference}], "comparison": comparison, "search": search}


def test_the_table_pools_the_searches_of_a_task(tmp_path: Path) -> None:
    options = Options(results=tmp_path)
    differences = (0.01, -0.002, 0.006)
    # 480 shapes in full are 480 * 3 * 2 * 10 = 28,800 candidate-steps.
    in_full = {"rates": 3, "replicates": 2, "training": {"num_steps": 10}}
    for seed, difference in enumerate(differences):
        outcome = {"result": result(difference, 0.002), "generations": []}
        record = {"format": 1, "options": in_full, "outcome": outcome}
        write_record(tmp_path / f"{name_of(options, 'clean', seed)}.json", record)
    text = report(options, Records(tmp_path)).text
    p = stats.ttest_1samp(differences, 0).pvalue
    scores = f"+0.0047 | 2 of 3 | {p:.2g} | +0.0020 | +0.0005 ({p:.2g})"
    assert f"| clean | +0.005 | 3 | {scores} | 1,000 | 480 | 28.8 | 3 of 30 |" in text
    assert "| label noise | +0.025 | 0 | not yet run |" in text
