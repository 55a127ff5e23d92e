"""The whole job and the search alone, as files and printed text."""

import dataclasses
from importlib.metadata import version
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from scipy import stats

from glojax.evaluation.runtime import num_cores
from glojax.expressions import LossTree, canonical, to_latex
from glojax.search.comparison import RATE_FACTORS
from glojax.search.options import RunOptions
from glojax.strategies import GeneticConfig, TuningConfig
from glojax.training import TrainingConfig
from tests.search.runs import FinishedRun

STANDARD = ["cross_entropy", "cross_entropy_best_rate", "baikal"]

FIELDS = ("expression", "fitness", "status", "steps", "learning_rate", "phase", "generation")


def found(run: FinishedRun) -> list[str]:
    """The discovered and the tuned loss, the better one first."""
    result = run.json("result.json")
    return sorted(("discovered", "tuned"), key=lambda name: -float(result[name]["mean_score"]))


def candidates_of(run: FinishedRun, phase: str) -> list[dict[str, Any]]:
    return [one for one in run.json_lines("candidates.jsonl") if one["phase"] == phase]


def test_it_ends_well_and_leaves_its_files_and_nothing_else(bare_run: FinishedRun) -> None:
    assert bare_run.exit_code == 0
    assert "Traceback" not in bare_run.errors
    assert "Warning" not in bare_run.errors
    assert [path.name for path in bare_run.directory.parent.iterdir()] == ["run"]
    assert bare_run.names == [
        "candidates.jsonl",
        "config.json",
        "generations.jsonl",
        "hall_of_fame.csv",
        "report.html",
        "result.json",
        "summary.png",
        "trainings.jsonl",
        "tuning.jsonl",
    ]


def test_config_holds_every_option(bare_run: FinishedRun) -> None:
    config = bare_run.json("config.json")
    assert config["command"] == "run"
    assert set(config["options"]) == {field.name for field in dataclasses.fields(RunOptions)} - {"execution", "run_dir"}
    assert set(config["options"]["genetic"]) == {field.name for field in dataclasses.fields(GeneticConfig)}
    assert (config["options"]["seed"], config["options"]["seeds"], config["options"]["generations"]) == (5, 2, 2)
    assert config["options"]["genetic"]["population_size"] == 8
    assert set(config["options"]["tuning"]) == {field.name for field in dataclasses.fields(TuningConfig)}
    assert (config["options"]["tuned"], config["options"]["tuning"]["population_size"]) == (2, 3)


def test_config_holds_what_defaults_became(bare_run: FinishedRun) -> None:
    config = bare_run.json("config.json")
    options, resolved = config["options"], config["resolved"]
    assert options["network"] == "SmallMLP"
    assert set(options["training"]) == {field.name for field in dataclasses.fields(TrainingConfig)}
    training = options["training"]
    assert (training["num_steps"], training["batch_size"], training["learning_rate"]) == (3, 64, 0.05)
    assert training["optimizer"] == {"name": "sgd", "arguments": {}}
    assert resolved["computation"]
    assert resolved["dataset_sizes"] == {"train": 1077, "validation": 360, "test": 360}
    assert len(resolved["dataset_fingerprint"]) == 64
    assert {name: config["versions"][name] for name in ("glojax", "jax", "numpy")} == {
        name: version(name) for name in ("glojax", "jax", "numpy")
    }
    assert config["devices"]


def test_each_generation_has_a_line_whose_counts_add_up(bare_run: FinishedRun) -> None:
    generations = bare_run.json_lines("generations.jsonl")
    candidates = candidates_of(bare_run, "discovery")
    assert [record["generation"] for record in generations] == [1, 2]
    for record in generations:
        mine = [one for one in candidates if one["generation"] == record["generation"]]
        for status in ("trained", "non_finite", "lacks_variable"):
            assert record[status] == sum(one["status"] == status for one in mine)
        assert record["cached"] == 8 - len(mine)
        assert record["candidate_steps"] == sum(one["steps"] for one in mine)
        assert 0 <= record["median_fitness"] <= record["best_fitness"] <= 1


def test_elites_are_not_trained_again_and_stay_the_best(bare_run: FinishedRun) -> None:
    first, second = bare_run.json_lines("generations.jsonl")
    assert second["cached"] >= 2
    assert second["best_fitness"] >= first["best_fitness"]


def test_each_candidate_is_there_once_in_canonical_form(bare_run: FinishedRun) -> None:
    candidates = bare_run.json_lines("candidates.jsonl")
    texts = [one["expression"] for one in candidates]
    assert len(set(texts)) == len(texts)
    assert [str(canonical(LossTree.parse(text))) for text in texts] == texts
    for one in candidates:
        assert set(one) == {*FIELDS, "origin", "parents"}
    assert [one["phase"] for one in candidates] == sorted(one["phase"] for one in candidates)
    assert {one["phase"] for one in candidates} == {"discovery", "tuning"}


def test_statuses_fit_steps_and_fitness(bare_run: FinishedRun) -> None:
    candidates = bare_run.json_lines("candidates.jsonl")
    assert {one["status"] for one in candidates} <= {"trained", "lacks_variable", "non_finite"}
    assert any(one["status"] == "trained" for one in candidates)
    for one in candidates:
        tree = LossTree.parse(one["expression"])
        assert (one["status"] == "lacks_variable") == (not (tree.uses("x") and tree.uses("y")))
        match one["status"]:
            case "trained":
                assert (one["steps"], one["learning_rate"]) == (3, 0.05)
                assert 0 <= one["fitness"] <= 1
            case "lacks_variable":
                assert (one["steps"], one["fitness"], one["learning_rate"]) == (0, None, None)
            case _:
                assert 1 <= one["steps"] <= 3
                assert (one["fitness"], one["learning_rate"]) == (None, 0.05)


def test_the_hall_of_fame_holds_the_candidates_from_the_best_down(bare_run: FinishedRun) -> None:
    rows = bare_run.csv("hall_of_fame.csv")
    fitness = [float(row["fitness"] or -1) for row in rows]
    assert fitness == sorted(fitness, reverse=True)
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    assert {row["expression"] for row in rows} == {one["expression"] for one in candidates_of(bare_run, "discovery")}
    assert [LossTree.parse(row["expression"]).size for row in rows] == [int(row["size"]) for row in rows]


def test_the_best_finalists_of_the_discovery_are_tuned(bare_run: FinishedRun) -> None:
    finalists = bare_run.json("result.json")["discovered"]["finalists"]
    losses = [one["expression"] for one in finalists]
    assert len(losses) == 2
    assert [record["loss"] for record in bare_run.json("result.json")["tuning"]] == losses
    lines = bare_run.json_lines("tuning.jsonl")
    assert [(line["generation"], line["loss"]) for line in lines] == [(n, loss) for n in (1, 2) for loss in losses]
    for line in lines:
        assert line["trained"] + line["non_finite"] + line["cached"] == 3
    for one in finalists:
        known = next(line for line in lines if line["loss"] == one["expression"])
        assert known["best_so_far"] == max(one["fitness"], known["best_fitness"])


def test_tuned_members_are_told_apart_from_discovered_losses(bare_run: FinishedRun) -> None:
    tuning, lines = candidates_of(bare_run, "tuning"), bare_run.json_lines("tuning.jsonl")
    # The untuned losses are known from the discovery.
    assert {one["generation"] for one in tuning} == {1, 2}
    for generation in (1, 2):
        mine = [one for one in tuning if one["generation"] == generation]
        records = [line for line in lines if line["generation"] == generation]
        for status in ("trained", "non_finite"):
            assert sum(record[status] for record in records) == sum(one["status"] == status for one in mine)
        assert sum(record["candidate_steps"] for record in records) == sum(one["steps"] for one in mine)


@pytest.mark.parametrize(("name", "phase"), [("discovered", "discovery"), ("tuned", "tuning")])
def test_each_phase_ends_with_its_best_finalist(bare_run: FinishedRun, name: str, phase: str) -> None:
    choice = bare_run.json("result.json")[name]
    finalists = choice["finalists"]
    fitness = {one["expression"]: one["fitness"] for one in candidates_of(bare_run, phase)}
    assert all(fitness[one["expression"]] == one["fitness"] > 0 for one in finalists)
    # 5 served the search, 6 and 7 the finalists.
    assert [one["seeds"] for one in finalists] == [[6, 7]] * 2
    assert all(len(one["scores"]) == 2 for one in finalists)
    means = [one["mean_score"] for one in finalists]
    assert means == sorted(means, reverse=True)
    assert means == pytest.approx([np.mean(one["scores"]) for one in finalists], abs=1e-6)
    best = {key: finalists[0][key] for key in ("expression", "fitness", "mean_score")}
    assert choice == best | {"latex": to_latex(LossTree.parse(best["expression"])), "finalists": finalists}


def test_the_result_is_the_better_one_of_discovered_and_tuned(bare_run: FinishedRun) -> None:
    result = bare_run.json("result.json")
    keys = ("expression", "latex", "fitness", "mean_score")
    others = {"discovered", "tuning", "tuned", "task", "metric", "num_outputs", "pareto_front", "test_split", "seeds"}
    assert set(result) == {*keys, *others, "comparison", "welch", "curves", "predictions"}
    assert result["test_split"] == "official"
    assert [result[key] for key in keys] == [result[found(bare_run)[0]][key] for key in keys]


def test_the_comparison_has_an_accuracy_for_each_loss_and_seed(bare_run: FinishedRun) -> None:
    result = bare_run.json("result.json")
    assert [record["name"] for record in result["comparison"]] == [*found(bare_run), *STANDARD]
    assert [record["expression"] for record in result["comparison"]] == [
        *(result[name]["expression"] for name in found(bare_run)),
        "x * log(y)",
        "x * log(y)",
        "log(y) - x / y",
    ]
    assert result["comparison"][0]["expression"] == result["expression"]
    for record in result["comparison"]:
        for split in ("validation", "test"):
            values = record[split]["values"]
            assert len(values) == 2
            assert all(0 <= value <= 1 for value in values)
            assert record[split]["mean"] == pytest.approx(np.mean(values), abs=1e-6)
            assert record[split]["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)


def test_the_comparison_has_seeds_of_its_own(bare_run: FinishedRun) -> None:
    # 5 served the search, 6 and 7 the finalists.
    assert bare_run.json("result.json")["seeds"] == [8, 9]


def test_cross_entropy_at_its_best_rate_is_no_worse_on_validation(bare_run: FinishedRun) -> None:
    records = {record["name"]: record for record in bare_run.json("result.json")["comparison"]}
    plain, best = records["cross_entropy"], records["cross_entropy_best_rate"]
    assert plain["learning_rate"] == 0.05
    assert best["learning_rate"] in [0.05 * factor for factor in RATE_FACTORS]
    assert best["validation"]["mean"] >= plain["validation"]["mean"]


@pytest.mark.filterwarnings("ignore:Precision loss")
def test_p_values_are_those_of_welchs_test(bare_run: FinishedRun) -> None:
    result = bare_run.json("result.json")
    values = {record["name"]: record["test"]["values"] for record in result["comparison"]}
    assert [(test["first"], test["second"]) for test in result["welch"]] == list(combinations(values, 2))
    for test in result["welch"]:
        first, second = values[test["first"]], values[test["second"]]
        if np.ptp(first) == np.ptp(second) == 0:
            assert test["p_value"] is None
        else:
            assert 0 <= test["p_value"] <= 1
            assert test["p_value"] == pytest.approx(stats.ttest_ind(first, second, equal_var=False).pvalue)


def test_the_summary_is_a_picture(bare_run: FinishedRun) -> None:
    pixels = imread(bare_run.directory / "summary.png")
    assert pixels.shape[:2] == (468, 1260)
    assert pixels[..., :3].std() > 0.05


def test_it_prints_the_loss_that_it_found(bare_run: FinishedRun) -> None:
    result = bare_run.json("result.json")
    lines = bare_run.output.splitlines()
    assert f"Best loss found:  {result['expression']}" in lines
    assert f"LaTeX:            {result['latex']}" in lines
    assert "Results: run" in lines


def test_it_prints_plain_lines_where_there_is_no_terminal(bare_run: FinishedRun) -> None:
    assert "\x1b" not in bare_run.output + bare_run.errors
    lines = [line.strip() for line in bare_run.output.splitlines()]
    starts = [" ".join(line.split()[:2]) for line in lines]
    generations = [start for start in starts if start.startswith(("1/2", "2/2"))]
    assert [start.split()[0] for start in generations] == ["1/2", "2/2", "1/2", "1/2", "2/2", "2/2"]
    phases = ["digits: 1,077", "Search: 16", "Finalists: 4", "Tuning: 14", "Finalists: 4", "Comparison: 18"]
    assert [start for start in starts if start in phases] == phases
    assert sum(line.startswith("ends: ") for line in lines) == sum(line.startswith("Tuned: ") for line in lines) == 2
    rows = [line.split()[0] for line in lines[starts.index("loss rate") + 1 :] if line]
    assert rows[:5] == [*found(bare_run), *STANDARD]


def test_a_search_alone_leaves_no_comparison(discover_run: FinishedRun) -> None:
    assert discover_run.exit_code == 0
    assert "Traceback" not in discover_run.errors
    assert discover_run.names == [
        "candidates.jsonl",
        "config.json",
        "generations.jsonl",
        "hall_of_fame.csv",
        "report.html",
        "result.json",
        "trainings.jsonl",
    ]
    result = discover_run.json("result.json")
    others = {"discovered", "task", "metric", "num_outputs", "pareto_front"}
    assert set(result) == {"expression", "latex", "fitness", "mean_score", *others}
    assert result["expression"] == result["discovered"]["expression"]
    assert f"Best loss found:  {result['expression']}" in discover_run.output.splitlines()


def test_each_core_is_a_device_unless_the_user_sets_a_number(bare_run: FinishedRun, discover_run: FinishedRun) -> None:
    assert len(bare_run.json("config.json")["devices"]) == 1
    assert len(discover_run.json("config.json")["devices"]) == num_cores()


def test_the_same_seed_gives_the_same_search_on_any_number_of_devices(
    bare_run: FinishedRun, discover_run: FinishedRun
) -> None:
    def without_time(run: FinishedRun) -> list[dict[str, Any]]:
        return [record | {"seconds": None} for record in run.json_lines("generations.jsonl")]

    assert candidates_of(discover_run, "discovery") == candidates_of(bare_run, "discovery")
    assert without_time(discover_run) == without_time(bare_run)
    assert discover_run.csv("hall_of_fame.csv") == bare_run.csv("hall_of_fame.csv")
    assert discover_run.json("result.json")["discovered"] == bare_run.json("result.json")["discovered"]
