"""The tuning of given losses, as files and printed text."""

import dataclasses
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from glojax.expressions import LossTree, canonical, to_latex
from glojax.search.given_options import TuneOptions
from glojax.search.tuning import TuningRecord
from glojax.strategies import TuningConfig
from tests.search.conftest import TUNED
from tests.search.runs import FinishedRun

#: Of 6 and 4 coefficients.
MEMBERS = dict(zip(TUNED, (9, 8), strict=True))
#: 3 for each of two seeds.
STEPS = 6


def without_coefficients(text: str) -> str:
    tree = LossTree.parse(text)
    return str(canonical(tree.with_coefficients([1.0] * tree.size)))


def candidates_of(run: FinishedRun, loss: str, generation: int | None = None) -> list[dict[str, Any]]:
    """Of one loss, in all generations or in one."""
    return [
        one
        for one in run.json_lines("candidates.jsonl")
        if without_coefficients(one["expression"]) == loss and generation in (None, one["generation"])
    ]


def lines_of(run: FinishedRun, loss: str) -> list[dict[str, Any]]:
    return [line for line in run.json_lines("tuning.jsonl") if line["loss"] == loss]


def test_it_ends_well_and_leaves_its_files(tune_run: FinishedRun) -> None:
    assert tune_run.exit_code == 0
    assert "Traceback" not in tune_run.errors
    assert "Warning" not in tune_run.errors
    assert tune_run.names == [
        "candidates.jsonl",
        "config.json",
        "report.html",
        "result.json",
        "summary.png",
        "trainings.jsonl",
        "tuning.jsonl",
    ]


def test_config_holds_every_option(tune_run: FinishedRun) -> None:
    config = tune_run.json("config.json")
    options = config["options"]
    assert config["command"] == "tune"
    assert set(options) == {field.name for field in dataclasses.fields(TuneOptions)} - {"execution", "run_dir"}
    assert set(options["tuning"]) == {field.name for field in dataclasses.fields(TuningConfig)}
    assert (options["loss"], options["replicates"], options["tuning"]["generations"]) == (list(TUNED), 2, 3)
    assert config["versions"]["evosax"]


def test_each_generation_has_a_line_for_each_loss_whose_counts_add_up(tune_run: FinishedRun) -> None:
    lines = tune_run.json_lines("tuning.jsonl")
    assert [(line["generation"], line["loss"]) for line in lines] == [
        (generation, loss) for generation in (1, 2, 3) for loss in TUNED
    ]
    for line in lines:
        assert set(line) == {field.name for field in dataclasses.fields(TuningRecord)}
        members = candidates_of(tune_run, line["loss"], line["generation"])
        assert len(members) == MEMBERS[line["loss"]]
        for status in ("trained", "non_finite"):
            assert line[status] == sum(one["status"] == status for one in members)
        assert line["cached"] == 0
        assert line["candidate_steps"] == sum(one["steps"] for one in members)
        fitness = [one["fitness"] for one in members if one["fitness"] is not None]
        assert line["best_fitness"] == max(fitness)
        assert line["median_fitness"] == pytest.approx(np.median(fitness), abs=1e-6)


def test_the_best_so_far_counts_the_untuned_loss(tune_run: FinishedRun) -> None:
    for loss in TUNED:
        for line in lines_of(tune_run, loss):
            before = [one for one in candidates_of(tune_run, loss) if one["generation"] <= line["generation"]]
            assert line["best_so_far"] == max(one["fitness"] for one in before if one["fitness"] is not None)
            (best,) = (one for one in before if one["expression"] == line["best_expression"])
            assert best["fitness"] == line["best_so_far"]


def test_the_untuned_losses_are_the_first_candidates(tune_run: FinishedRun) -> None:
    candidates = tune_run.json_lines("candidates.jsonl")
    assert [one["expression"] for one in candidates[:2]] == list(TUNED)
    assert [one["generation"] for one in candidates] == sorted([0, 0] + [1, 2, 3] * sum(MEMBERS.values()))
    assert {one["phase"] for one in candidates} == {"tuning"}
    assert len({one["expression"] for one in candidates}) == len(candidates)


def test_a_candidate_is_trained_with_each_seed(tune_run: FinishedRun) -> None:
    candidates = tune_run.json_lines("candidates.jsonl")
    assert any(one["status"] == "trained" for one in candidates)
    for one in candidates:
        fields = {"expression", "fitness", "status", "steps", "learning_rate", "phase", "generation"}
        assert set(one) == fields | {"origin", "parents"}
        if one["status"] == "trained":
            assert one["steps"] == STEPS
            # The mean of two accuracies on 360 images.
            assert (one["fitness"] * 720) == pytest.approx(round(one["fitness"] * 720), abs=1e-3)
        else:
            assert one["status"] == "non_finite"
            assert 2 <= one["steps"] <= STEPS


def test_the_result_has_what_became_of_each_loss(tune_run: FinishedRun) -> None:
    tuning = tune_run.json("result.json")["tuning"]
    assert [record["loss"] for record in tuning] == list(TUNED)
    for record, num_coefficients in zip(tuning, (6, 4), strict=True):
        last = lines_of(tune_run, record["loss"])[-1]
        (start,) = candidates_of(tune_run, record["loss"], 0)
        assert record == {
            "loss": record["loss"],
            "fitness_before": start["fitness"],
            "expression": last["best_expression"],
            "fitness": last["best_so_far"],
            "num_coefficients": num_coefficients,
            "generations": 3,
            "stop_reason": "generations: 3",
        }
        assert [line["stop_reason"] for line in lines_of(tune_run, record["loss"])] == [None, None, "generations: 3"]


def test_the_untuned_losses_and_the_best_members_are_finalists(tune_run: FinishedRun) -> None:
    result = tune_run.json("result.json")
    fitness = {one["expression"]: one["fitness"] for one in tune_run.json_lines("candidates.jsonl")}
    finalists = {one["expression"]: one["fitness"] for one in result["finalists"]}
    assert finalists == {expression: fitness[expression] for expression in finalists}
    assert set(TUNED) <= set(finalists)
    known = {one: value for one, value in fitness.items() if value is not None}
    members = sorted((known[one] for one in known if one not in TUNED), reverse=True)
    assert sorted((finalists[one] for one in finalists if one not in TUNED), reverse=True) == members[:3]


def test_the_result_is_the_best_finalist(tune_run: FinishedRun) -> None:
    result = tune_run.json("result.json")
    finalists = result["finalists"]
    means = [one["mean_score"] for one in finalists]
    assert means == sorted(means, reverse=True)
    assert means == pytest.approx([np.mean(one["scores"]) for one in finalists], abs=1e-6)
    for key in ("expression", "fitness", "mean_score"):
        assert result[key] == finalists[0][key]
    assert result["latex"] == to_latex(LossTree.parse(result["expression"]))


def test_fitness_finalists_and_comparison_have_seeds_of_their_own(tune_run: FinishedRun) -> None:
    # 5 and 6 gave the fitness.
    result = tune_run.json("result.json")
    assert [one["seeds"] for one in result["finalists"]] == [[7, 8]] * 5
    assert result["seeds"] == [9, 10]


def test_the_best_member_is_compared_with_the_loss_that_it_was_made_of(tune_run: FinishedRun) -> None:
    result = tune_run.json("result.json")
    tuned, untuned, at_best_rate = result["comparison"]
    assert [record["name"] for record in result["comparison"]] == ["tuned", "untuned", "untuned_best_rate"]
    assert tuned["expression"] == next(
        one["expression"] for one in result["finalists"] if one["expression"] not in TUNED
    )
    assert untuned["expression"] == at_best_rate["expression"] == without_coefficients(tuned["expression"])
    assert tuned["learning_rate"] == untuned["learning_rate"] == 0.05
    assert at_best_rate["learning_rate"] in [0.05 * factor for factor in (0.3, 1.0, 3.0, 10.0, 30.0)]
    assert at_best_rate["validation"]["mean"] >= untuned["validation"]["mean"]
    for record in result["comparison"]:
        assert len(record["test"]["values"]) == 2
    names = [record["name"] for record in result["comparison"]]
    assert [(test["first"], test["second"]) for test in result["welch"]] == list(combinations(names, 2))


def test_the_summary_is_a_picture(tune_run: FinishedRun) -> None:
    pixels = imread(tune_run.directory / "summary.png")
    assert pixels.shape[:2] == (468, 1260)
    assert pixels[..., :3].std() > 0.05


def test_it_prints_plain_lines_and_the_comparison(tune_run: FinishedRun) -> None:
    assert "\x1b" not in tune_run.output + tune_run.errors
    lines = [line.strip() for line in tune_run.output.splitlines()]
    starts = [line.split()[0] for line in lines if line]
    order = ["Tuning:", "1/3", "1/3", "2/3", "2/3", "3/3", "ends:", "3/3", "ends:", "Finalists:", "Comparison:"]
    order += ["Tuned:", "Tuned:", "tuned", "untuned", "untuned_best_rate", "Best", "Results:"]
    assert [start for start in starts if start in order] == order
    assert {
        f"Tuning: 53 candidates of {', '.join(TUNED)}",
        "Finalists: 10 trainings of 5 losses",
        "Comparison: 14 trainings of tuned, untuned, untuned_best_rate",
    } <= set(lines)
    assert [line.removeprefix("Tuned:").strip() for line in lines if line.startswith("Tuned:")] == list(TUNED)


def test_it_prints_the_loss_that_it_found(tune_run: FinishedRun) -> None:
    result = tune_run.json("result.json")
    lines = tune_run.output.splitlines()
    assert f"Best loss found:  {result['expression']}" in lines
    assert f"LaTeX:            {result['latex']}" in lines
    assert "Results: run" in lines
