"""How the commands put their phases together; stand-ins train."""

import json
from pathlib import Path
from typing import Any

import pytest

from glojax.evaluation import PoolEvaluator
from glojax.expressions import LossTree
from glojax.networks import NETWORKS
from glojax.search import opening
from glojax.search.__main__ import main
from tests.linear_network import LinearNetwork
from tests.search.conftest import NETWORK
from tests.search.fakes import UseStandIns, fitness_of, no_picture, short  # noqa: F401
from tests.search.runs import with_options

pytestmark = pytest.mark.usefixtures("no_picture")

SEARCH = (
    *("--preset", "paper", "--population-size", "10", "--num-elites", "2", "--generations", "3", "--finalists", "4"),
    *("--seed", "3"),
)


def result() -> Any:
    return json.loads(Path("run/result.json").read_text())


def compared_in_order() -> list[str]:
    return [record["name"] for record in result()["comparison"]]


def short_or_tuned(tree: LossTree) -> float:
    return short(tree) if set(tree.coefficients) == {1} else 0.9


def short_and_untuned(tree: LossTree) -> float | None:
    return short(tree) if set(tree.coefficients) == {1} else None


STANDARD = ["cross_entropy", "cross_entropy_best_rate", "baikal"]
UNTUNED = (*SEARCH, "--tuned", "0", "--run-dir", "run")
RUN = (*SEARCH, "--tuned", "1", "--tuning.generations", "2", "--run-dir", "run")


def test_search_finalists_and_comparison_have_seeds_of_their_own(use_stand_ins: UseStandIns) -> None:
    stand_ins = use_stand_ins(short)
    assert main([*RUN, "--replicates", "2", "--finalist-seeds", "3", "--seeds", "4"]) == 0
    (discovered, finalist_seeds), (tuned, again) = stand_ins.finalists
    assert (len(discovered), len(tuned)) == (4, 4)
    assert not set(discovered) & set(tuned)
    assert finalist_seeds == again
    assert stand_ins.search_seeds == [3, 4]
    seeds = [*stand_ins.search_seeds, *finalist_seeds, *stand_ins.comparison_seeds]
    assert seeds == list(range(3, 3 + 2 + 3 + 4))
    assert result()["seeds"] == stand_ins.comparison_seeds


def test_tuning_begins_with_the_best_finalists(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(short)
    assert main(with_options(RUN, "--tuned", "2")) == 0
    finalists = result()["discovered"]["finalists"]
    assert [record["loss"] for record in result()["tuning"]] == [one["expression"] for one in finalists[:2]]


def test_a_tuned_loss_that_is_better_is_the_result(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(short_or_tuned)
    assert main(RUN) == 0
    assert compared_in_order() == ["tuned", "discovered", *STANDARD]
    assert result()["expression"] == result()["tuned"]["expression"] != result()["discovered"]["expression"]
    assert result()["mean_score"] == pytest.approx(0.9)


def test_a_tuned_loss_that_is_worse_is_not_the_result(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(short)
    assert main(RUN) == 0
    assert compared_in_order() == ["discovered", "tuned", *STANDARD]
    assert result()["expression"] == result()["discovered"]["expression"] != result()["tuned"]["expression"]


def test_a_tuned_loss_that_is_as_good_is_not_the_result(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(lambda tree: 0.5 if tree.size == 3 else 0.25)
    assert main(RUN) == 0
    assert result()["discovered"]["mean_score"] == result()["tuned"]["mean_score"]
    assert compared_in_order() == ["discovered", "tuned", *STANDARD]
    assert result()["expression"] == result()["discovered"]["expression"]


def test_where_no_member_can_be_trained_the_discovered_loss_is_the_result(
    use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_ins = use_stand_ins(short_and_untuned)
    assert main(with_options(RUN, "--tuning.generations", "9")) == 0
    assert len(stand_ins.finalists) == 1
    assert compared_in_order() == ["discovered", *STANDARD]
    (record,) = result()["tuning"]
    assert (record["generations"], record["expression"]) == (5, result()["expression"])
    assert "tuned" not in result()
    assert "ends: failure: no member of 5 generations in a row" in capsys.readouterr().out


def test_tuning_can_be_left_out(use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str]) -> None:
    stand_ins = use_stand_ins(short_or_tuned)
    assert main(UNTUNED) == 0
    assert len(stand_ins.finalists) == 1
    assert not {"tuning", "tuned"} & set(result())
    assert compared_in_order() == ["discovered", *STANDARD]
    assert not Path("run/tuning.jsonl").exists()
    assert "Tun" not in capsys.readouterr().out


TUNE = ("tune", "--loss", "x * y", "--tuning.generations", "2", "--finalists", "3", "--run-dir", "run")


def test_an_untuned_loss_that_is_better_is_the_result_of_its_tuning(
    use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_ins = use_stand_ins(short)
    assert main(TUNE) == 0
    assert result()["expression"] == result()["finalists"][0]["expression"] == "x * y"
    assert compared_in_order() == ["untuned", "tuned", "untuned_best_rate"]
    assert "The tuning found nothing better: this is one of the losses that it started from." in capsys.readouterr().out
    untuned, tuned, _ = (record["expression"] for record in result()["comparison"])
    assert (tuned, untuned) == (result()["finalists"][1]["expression"], "x * y")
    ((finalists, _),) = stand_ins.finalists
    assert len(finalists) == 1 + 3


def test_a_tuned_loss_is_compared_with_what_it_was_made_of(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(lambda tree: short_or_tuned(tree) if tree.uses("divide") else short(tree))
    assert main(with_options(TUNE, "--loss", "x * y", "x / y", "x - y")) == 0
    tuned, untuned, at_best_rate = result()["comparison"]
    assert untuned["expression"] == at_best_rate["expression"] == "x / y"
    assert tuned["expression"] == result()["expression"] != "x / y"
    assert LossTree.parse(tuned["expression"]).uses("divide")


def test_a_loss_that_cannot_be_trained_as_it_is_can_be_tuned(use_stand_ins: UseStandIns) -> None:
    stand_ins = use_stand_ins(lambda tree: None if set(tree.coefficients) == {1} else 0.5)
    assert main(TUNE) == 0
    ((finalists, _),) = stand_ins.finalists
    assert "x * y" not in finalists
    assert [record["fitness_before"] for record in result()["tuning"]] == [None]
    assert result()["comparison"][1]["expression"] == "x * y"


@pytest.mark.parametrize(
    ("losses", "sigma"), [(("x * y", "y * x"), "1.5"), (("x * y",), "1e-9")], ids=["two forms", "no step"]
)
def test_each_finalist_of_a_tuning_is_trained_once(
    use_stand_ins: UseStandIns, losses: tuple[str, ...], sigma: str
) -> None:
    stand_ins = use_stand_ins(short)
    assert main(with_options(TUNE, "--loss", *losses, "--tuning.sigma", sigma)) == 0
    ((finalists, _),) = stand_ins.finalists
    assert len(set(finalists)) == len(finalists)


def train_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "PoolEvaluator", PoolEvaluator)
    monkeypatch.setitem(NETWORKS, NETWORK[1], LinearNetwork)


def tuning_lines(run_dir: str) -> list[dict[str, Any]]:
    lines = Path(run_dir, "tuning.jsonl").read_text().splitlines()
    return [json.loads(line) | {"seconds": None} for line in lines]


def test_another_seed_gives_another_tuning(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(short)
    for seed in ("0", "1"):
        assert main(with_options(TUNE, "--seed", seed, "--run-dir", seed)) == 0
    assert tuning_lines("0") != tuning_lines("1")


def test_a_tuning_is_the_same_on_any_number_of_devices(
    use_stand_ins: UseStandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stand_ins(short)
    options = ("--steps", "10", "--replicates", "2", "--finalists", "1", "--finalist-seeds", "1", *NETWORK)
    for run_dir, devices in (("one", "1"), ("two", "2")):
        train_for_real(monkeypatch)
        where = ("--devices", devices, "--run-dir", run_dir)
        assert main(with_options(TUNE, "--loss", "x * log(y)", *options, *where)) == 0
    assert tuning_lines("one") == tuning_lines("two")
    assert max(line["best_fitness"] or 0 for line in tuning_lines("one")) > 0
    assert Path("one/candidates.jsonl").read_text() == Path("two/candidates.jsonl").read_text()


def test_a_tuning_in_which_nothing_can_be_trained_says_so_and_keeps_its_files(
    use_stand_ins: UseStandIns, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_stand_ins(short)
    train_for_real(monkeypatch)
    # Minus infinity where the label is 0, whatever the coefficients.
    assert main(["tune", "--loss", "log(x) + y", "--steps", "10", *NETWORK, "--devices", "1", "--run-dir", "run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: No member could be trained (failure: no member of 5 generations in a row")
    assert len(tuning_lines("run")) == 5
    assert {(record["trained"], record["non_finite"]) for record in tuning_lines("run")} == {(0, 8)}
    assert set(result()) == {"tuning"}
    candidates = [json.loads(line) for line in Path("run/candidates.jsonl").read_text().splitlines()]
    assert [one["status"] for one in candidates] == ["non_finite"] * (1 + 5 * 8)
    assert {one["fitness"] for one in candidates} == {None}
    assert {path.name for path in Path("run").iterdir()} == {
        ".lock",
        "candidates.jsonl",
        "config.json",
        "report.html",
        "result.json",
        "trainings.jsonl",
        "tuning.jsonl",
    }


def test_a_search_in_which_nothing_can_be_trained_says_so(
    use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    use_stand_ins(fitness_of)
    options = ("--preset", "paper", "--population-size", "1", "--num-elites", "0", "--generations", "1")
    assert main(["discover", *options, "--run-dir", "run"]) == 2
    assert "error: None of 1 distinct losses could be trained" in capsys.readouterr().err


def test_a_population_of_one_is_a_search(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(fitness_of)
    options = ("--preset", "paper", "--population-size", "1", "--num-elites", "0", "--generations", "20", "--seed", "5")
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
