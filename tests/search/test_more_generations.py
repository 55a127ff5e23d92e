"""A finished run that goes on to more generations, and runs with other optimizers; everything here trains for real."""

import json
from pathlib import Path
from typing import Any

import pytest

from glojax.evaluation import TrainingJournal
from glojax.networks import NETWORKS
from glojax.search.__main__ import main
from tests.crash.run_folders import contents
from tests.linear_network import LinearNetwork
from tests.search.conftest import NETWORK, SEARCH, TUNING
from tests.search.fakes import no_picture  # noqa: F401
from tests.search.runs import with_options

pytestmark = pytest.mark.usefixtures("no_picture")

RUN = (*SEARCH, *TUNING, "--seeds", "2", "--devices", "1")
COMPARE = ("compare", "--losses", "baikal", "x * log(y)", *NETWORK, "--devices", "1")


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list to which each training adds itself; runs are in an empty folder, and train a small network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(NETWORKS, NETWORK[1], LinearNetwork)
    done: list[Any] = []
    add = TrainingJournal.add

    def listen(journal: TrainingJournal, training: Any, result: Any) -> None:
        done.append(training)
        add(journal, training, result)

    monkeypatch.setattr(TrainingJournal, "add", listen)
    return done


def lines(run_dir: str) -> list[str]:
    return Path(run_dir, "trainings.jsonl").read_text().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("order", [(), ("--asynchronous",)])
def test_a_finished_run_goes_on_to_more_generations_and_trains_only_what_is_new(
    trained: list[Any], order: tuple[str, ...]
) -> None:
    assert main(with_options(RUN, *order, "--generations", "3", "--run-dir", "whole")) == 0
    assert main([*RUN, *order, "--run-dir", "run"]) == 0
    before, whole = lines("run"), lines("whole")
    trained.clear()
    assert main(["resume", "run", "--generations", "3", "--devices", "1"]) == 0
    assert len(trained) == len(set(whole) - set(before)) < len(whole)
    # The trainings of the former finalists come last.
    assert lines("run")[: len(whole)] == whole
    assert set(lines("run")) == set(whole) | set(before)
    undisturbed, extended = contents(Path("whole")), contents(Path("run"))
    assert set(extended) == set(undisturbed)
    assert {name for name in extended if extended[name] != undisturbed[name]} <= {"trainings.jsonl"}
    # Now these are its generations, and all of it is known.
    trained.clear()
    assert main(["resume", "run", "--generations", "3", "--devices", "1"]) == 0
    assert (trained, contents(Path("run"))) == ([], extended)


def test_only_a_search_goes_on_to_more_generations_and_not_to_fewer(
    trained: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["discover", *SEARCH, "--devices", "1", "--run-dir", "run"]) == 0
    assert main([*COMPARE, "--steps", "3", "--run-dir", "comparison"]) == 0
    before = contents(Path("run"))
    capsys.readouterr()
    assert main(["resume", "run", "--generations", "1"]) == 2
    assert capsys.readouterr().err == "error: --generations is 1, and the run has 2; give more.\n"
    assert main(["resume", "run", "--generations", "0"]) == 2
    assert "--generations is 0; expected a whole number of at least 1" in capsys.readouterr().err
    assert main(["resume", "comparison", "--generations", "3"]) == 2
    assert "--generations goes with a search, and comparison is a run of 'compare'" in capsys.readouterr().err
    assert contents(Path("run")) == before


@pytest.mark.slow
def test_a_run_with_another_optimizer_goes_on_with_it(trained: list[Any]) -> None:
    optimizer = "--optimizer rmsprop --optimizer.momentum 0.9 --optimizer.nesterov True"
    compare = [*COMPARE, "--steps", "20", "--seeds", "2"]
    assert main([*compare, *optimizer.split(), "--run-dir", "run"]) == 0
    assert main([*compare, "--run-dir", "plain"]) == 0
    whole = contents(Path("run"))
    name, arguments = whole["config.json"]["options"]["training"]["optimizer"].values()
    assert (name, arguments) == ("rmsprop", {"momentum": 0.9, "nesterov": True})
    assert whole["result.json"] != contents(Path("plain"))["result.json"]
    assert not {json.loads(line)["context"] for line in lines("run")} & {
        json.loads(line)["context"] for line in lines("plain")
    }
    Path("run/result.json").unlink()
    Path("run/trainings.jsonl").write_text("\n".join(lines("run")[:2]) + "\n")
    trained.clear()
    assert main(["resume", "run", "--devices", "1"]) == 0
    assert len(trained) == 2
    assert contents(Path("run")) == whole
