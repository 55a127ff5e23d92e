"""What the commands do with their parts; stand-ins train."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glojax.expressions import LossTree
from glojax.search import __main__ as command_line
from glojax.search import commands
from glojax.search.__main__ import main
from glojax.search.comparison import Accuracies, ComparedLoss, Comparison, WelchTest
from tests.search.fakes import FakeEvaluator, fitness_of

SEARCH = ("--population-size", "10", "--num-elites", "2", "--generations", "3", "--finalists", "4", "--seed", "3")


class StandIns:
    """In the place of all that trains, with the seeds that they were given."""

    def __init__(self, fitness: Callable[[LossTree], float]):
        self.evaluator = FakeEvaluator(fitness)
        self.search_seeds: list[int] = []
        self.comparison_seeds: list[int] = []

    def make_evaluator(self, *arguments: object, seed: int, **options: object) -> FakeEvaluator:
        self.search_seeds.append(seed)
        return self.evaluator

    def compare(
        self,
        losses: Mapping[str, LossTree],
        network: object,
        dataset: object,
        config: object,
        seeds: Sequence[int],
        **callbacks: Any,
    ) -> Comparison:
        self.comparison_seeds += seeds
        callbacks["on_start"](len(losses))
        half = Accuracies.of(np.full(len(seeds), 0.5))
        compared = [ComparedLoss(name, str(tree), 0.05, half, half, 0) for name, tree in losses.items()]
        return Comparison(compared, [WelchTest(*pair, None) for pair in combinations(losses, 2)])


UseStandIns = Callable[[Callable[[LossTree], float]], StandIns]


@pytest.fixture
def use_stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> UseStandIns:
    def use(fitness: Callable[[LossTree], float]) -> StandIns:
        stand_ins = StandIns(fitness)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(command_line, "use_all_cores", lambda: None)
        monkeypatch.setattr(commands, "LocalEvaluator", stand_ins.make_evaluator)
        monkeypatch.setattr(commands, "compare", stand_ins.compare)
        return stand_ins

    return use


def test_search_finalists_and_comparison_have_seeds_of_their_own(use_stand_ins: UseStandIns) -> None:
    stand_ins = use_stand_ins(lambda tree: 1 / len(str(tree)))
    assert main([*SEARCH, "--finalist-seeds", "3", "--seeds", "4", "--run-dir", "run"]) == 0
    ((finalists, finalist_seeds),) = stand_ins.evaluator.confirmed
    assert 1 < len(finalists) <= 4
    assert stand_ins.search_seeds == [3]
    seeds = stand_ins.search_seeds + finalist_seeds + stand_ins.comparison_seeds
    assert len(set(seeds)) == len(seeds) == 1 + 3 + 4
    assert json.loads(Path("run/result.json").read_text())["seeds"] == stand_ins.comparison_seeds


def test_a_search_in_which_nothing_can_be_trained_says_so(
    use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    use_stand_ins(fitness_of)
    options = ("--population-size", "1", "--num-elites", "0", "--generations", "1", "--seed", "0")
    assert main(["discover", *options, "--run-dir", "run"]) == 2
    assert "error: None of 1 distinct losses could be trained" in capsys.readouterr().err


def test_a_population_of_one_is_a_search(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(fitness_of)
    options = ("--population-size", "1", "--num-elites", "0", "--generations", "20", "--seed", "5")
    assert main(["discover", *options, "--run-dir", "run"]) == 0
    assert len(Path("run/generations.jsonl").read_text().splitlines()) == 20


def test_without_a_name_each_run_has_a_directory_under_runs(
    use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    use_stand_ins(fitness_of)
    assert [main(["discover", *SEARCH]) for _ in range(2)] == [0, 0]
    directories = sorted(Path("runs").iterdir())
    assert len(directories) == 2
    output = capsys.readouterr().out
    for directory in directories:
        assert f"Results: {directory}\n" in output


@pytest.mark.parametrize("name", ["[red]", "a[/b]"])
def test_a_run_directory_may_have_any_name(
    use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    use_stand_ins(fitness_of)
    assert main(["discover", *SEARCH, "--run-dir", name]) == 0
    assert f"Results: {name}\n" in capsys.readouterr().out
