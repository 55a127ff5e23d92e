"""Every script on digits, with few steps: the command in a record trains again with the same result, bit for bit."""

import importlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from experiments import train
from experiments.draw import SCRIPTS
from experiments.records import read_record, reproducible
from glojax.evaluation import TrainingJournal

pytestmark = pytest.mark.usefixtures("linear_network")

SHORT = ["--dataset", "digits", "--steps", "5"]
ARGUMENTS = {
    "validation_2000_steps": [*SHORT, "--seeds", "1", "--mean-seeds", "0"],
    "test_accuracy": [*SHORT, "--short-steps", "2", "--short-seeds", "1"],
    "training_curves": SHORT,
    "dataset_size": [*SHORT, "--seeds", "1", "--portions", "0.5", "--full-steps", "6", "--full-portions", "0.5"],
    "cifar_transfer": [*SHORT, "--short-steps", "3", "--short-seeds", "1"],
    "output_histograms": SHORT,
    "taylor_losses": [*SHORT, "--seeds", "1"],
    "learning_rate_control": [*SHORT, "--seeds", "1", "--learning-rates", "0.01", "0.1"],
    "larger_rates": [*SHORT, "--seeds", "1", "--learning-rates", "0.1"],
}
#: Scripts whose trainings differ most in what they record.
AGAIN = ("training_curves", "dataset_size", "output_histograms")
SEARCHES = {
    "discovery": [
        *(*SHORT, "--population-size", "8", "--generations", "2", "--fitness-steps", "2", "--train-fraction", "1"),
        *("--finalists", "1"),
    ],
    "coefficients": [*SHORT, "--generations", "1", "--fitness-steps", "2", "--seeds", "1"],
}


def run(name: str, arguments: list[str], results: Path) -> int:
    """Run a script, and return its exit code."""
    module = train if name == "train" else importlib.import_module(f"experiments.{name}")
    code: int = module.main([*arguments, "--results", str(results), "--devices", "1"])
    return code


def test_every_script_is_tried() -> None:
    tried_elsewhere = {
        *("binary_loss", "loss_surfaces", "shape_search", "search_cost", "strategy_settings", "longer_verdict"),
        *("contest", "other_draws", "found_losses", "transfer", "precision_ranking"),
    }
    assert {*ARGUMENTS, *SEARCHES} | tried_elsewhere == set(SCRIPTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_command_in_a_record_makes_it_again_bit_for_bit(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name, ARGUMENTS[name], tmp_path / "first") == 0
    assert "| Baikal |" in capsys.readouterr().out
    first = {path.name: path for path in (tmp_path / "first").rglob("*.json")}
    if name in AGAIN:
        path = first[sorted(first)[-1]]
        arguments = shlex.split(read_record(path)["command"])[3:]
        assert run("train", arguments, tmp_path / "again") == 0
        (again,) = (tmp_path / "again").rglob("*.json")
        assert again.relative_to(tmp_path / "again") == path.relative_to(tmp_path / "first")
        assert reproducible(read_record(again)) == reproducible(read_record(path))
    # Every record is there: nothing is trained again, and nothing is written.
    before = {path: path.stat().st_mtime_ns for path in first.values()}
    assert run(name, ARGUMENTS[name], tmp_path / "first") == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "first").rglob("*.json")} == before


@pytest.mark.parametrize("name", SEARCHES)
def test_the_command_in_a_search_s_record_makes_it_again_bit_for_bit(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name, SEARCHES[name], tmp_path / "first") == 0
    assert "not yet run" not in capsys.readouterr().out
    (path,) = (tmp_path / "first" / name).glob("*.json")
    command = shlex.split(read_record(path)["command"])
    assert command[:3] == ["python", "-m", f"experiments.{name}"]
    assert run(name, [*command[3:], "--steps", "5"], tmp_path / "again") == 0
    (again,) = (tmp_path / "again" / name).glob("*.json")
    assert reproducible(read_record(again)) == reproducible(read_record(path))


def test_a_search_that_was_stopped_goes_on_to_the_same_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("discovery", SEARCHES["discovery"], tmp_path / "undisturbed") == 0
    done = []
    add = TrainingJournal.add

    def stop_after_three(journal: TrainingJournal, *training: Any) -> None:
        add(journal, *training)
        done.append(training)
        if len(done) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingJournal, "add", stop_after_three)
    assert run("discovery", SEARCHES["discovery"], tmp_path / "stopped") == 130
    assert capsys.readouterr().err.endswith("stopped; the same command goes on from here\n")
    assert not list((tmp_path / "stopped").rglob("*.json"))
    assert run("discovery", SEARCHES["discovery"], tmp_path / "stopped") == 0
    assert "Going on with" in capsys.readouterr().out
    records = [
        reproducible(read_record(path))
        for folder in ("undisturbed", "stopped")
        for path in (tmp_path / folder / "discovery").glob("*.json")
    ]
    assert len(records) == 2
    assert records[0] == records[1]


@pytest.mark.parametrize("name", ["binary_loss", "loss_surfaces"])
def test_what_needs_no_training_says_where_the_minima_are(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(name, [], tmp_path) == 0
    assert "0.707" in capsys.readouterr().out


def test_more_seeds_are_added_to_what_is_there(tmp_path: Path) -> None:
    for seeds in (1, 2):
        run("validation_2000_steps", [*SHORT, "--seeds", str(seeds), "--mean-seeds", "0"], tmp_path)
        seeds_found = [json.loads(path.read_text())["training"]["seed"] for path in tmp_path.rglob("*.json")]
        assert sorted(seeds_found) == sorted([*range(seeds)] * 3)


def test_a_mistake_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test_accuracy", ["--dataset", "digit", "--steps", "5"], tmp_path) == 2
    assert capsys.readouterr().err.startswith("error: Unknown data set 'digit'")


def test_a_portion_of_the_training_set_is_a_portion(tmp_path: Path) -> None:
    assert run("dataset_size", ARGUMENTS["dataset_size"], tmp_path) == 0
    for path in tmp_path.rglob("*.json"):
        assert read_record(path)["dataset"]["images"]["train"] in range(530, 550)
