"""The family of a found loss: how each candidate was made, in the run directory and in the report."""

import json
import shutil
from pathlib import Path

import pytest

import glojax
from glojax.errors import RunDirectoryError
from glojax.expressions import LossTree, Origin
from glojax.search.report.ancestry import MAX_SHOWN, family
from glojax.search.report.records import read_run
from glojax.search.report.writing import report_html
from tests.search.pages import Page
from tests.search.runs import FinishedRun

HEADING = "Where it comes from"


@pytest.fixture
def folder(bare_run: FinishedRun, tmp_path: Path) -> Path:
    return shutil.copytree(bare_run.directory, tmp_path / "run")


def write(folder: Path, losses: dict[str, tuple[str, list[str]] | None], found: str) -> None:
    """Let a run have these losses, which have 0.1, 0.2, ... as their fitness, and have found one of them."""
    first = json.loads((folder / "candidates.jsonl").read_text().splitlines()[0])
    lines = []
    for number, (expression, made) in enumerate(losses.items(), start=1):
        record = {name: first[name] for name in ("status", "steps", "learning_rate")}
        record |= {"expression": expression, "fitness": number / 10, "phase": "discovery", "generation": 1}
        lines.append(json.dumps(record | ({} if made is None else {"origin": made[0], "parents": made[1]})) + "\n")
    (folder / "candidates.jsonl").write_text("".join(lines))
    (folder / "result.json").write_text(json.dumps({"expression": found}))


def test_each_candidate_has_its_origin_beside_its_evaluation(bare_run: FinishedRun) -> None:
    records = bare_run.json_lines("candidates.jsonl")
    earlier: set[str] = set()
    for record in records:
        counts = {"random": 0, "crossover": 2, "crossover and mutation": 2}
        assert len(record["parents"]) == counts.get(record["origin"], 1)
        # Each of them was evaluated before.
        assert set(record["parents"]) <= earlier
        earlier.add(record["expression"])
    assert {record["origin"] for record in records if record["phase"] == "tuning"} == {"coefficients"}
    assert any(record["parents"] for record in records if record["phase"] == "discovery")


def test_origins_are_columns_of_the_candidates(bare_run: FinishedRun) -> None:
    saved = glojax.load_run(bare_run.directory)
    for name in ("origin", "parents"):
        assert saved.candidates[name].to_pylist() == [
            record[name] for record in bare_run.json_lines("candidates.jsonl")
        ]
    origins = [None if one.origin is None else one.origin.record for one in saved.evaluations]
    assert origins == saved.candidates.select(["origin", "parents"]).to_pylist()


def test_a_run_of_before_is_read_without_them(folder: Path) -> None:
    write(folder, {"x * y": None}, "x * y")
    saved = glojax.load_run(folder)
    assert [saved.candidates[name].to_pylist() for name in ("origin", "parents")] == [[None], [None]]
    assert saved.evaluations[0].origin is None
    assert HEADING not in Page(report_html([folder])).texts


@pytest.mark.parametrize(
    "wrong",
    [{"origin": "stork", "parents": []}, {"origin": "random"}, {"origin": "mutation", "parents": "x * y"}]
    + [{"origin": "mutation", "parents": each} for each in ([1], ["x * z"], [["x"]])],
)
def test_an_origin_of_other_types_is_refused(folder: Path, wrong: dict[str, object]) -> None:
    first = json.loads((folder / "candidates.jsonl").read_text().splitlines()[0])
    others = {name: value for name, value in first.items() if name not in ("origin", "parents")}
    (folder / "candidates.jsonl").write_text(json.dumps(others | wrong) + "\n")
    for read in (glojax.load_run, read_run):
        with pytest.raises(RunDirectoryError, match="cannot be read"):
            read(folder)


def test_the_family_is_the_found_loss_and_its_ancestors_alone(folder: Path) -> None:
    losses: dict[str, tuple[str, list[str]] | None] = {
        "x * log(y)": ("given", []),
        "x * y": ("random", []),
        "x - y": ("random", []),
        "x * y^3": ("mutation", ["x * y"]),
        "x * log(y^3)": ("crossover", ["x * log(y)", "x * y^3"]),
    }
    write(folder, losses, "x * log(y^3)")
    expected = {LossTree.parse(text) for text in losses} - {LossTree.parse("x - y")}
    relatives = family(read_run(folder))
    assert set(relatives) == expected
    assert next(iter(relatives)) == LossTree.parse("x * log(y^3)")
    page = Page(report_html([folder]))
    assert HEADING in page.texts
    assert "crossover of 2 and 3" in page.texts
    for tip in ("1: x * log(y^3)\nfitness 0.5000, crossover", "4: x * y\nfitness 0.2000, random"):
        assert ("data-tip", tip) in page.values


def test_a_finalist_in_a_shorter_form_leads_to_what_it_was(folder: Path) -> None:
    write(folder, {"2 * x * log(y)": ("random", [])}, "x * log(y)")
    finalist = {"expression": "x * log(y)", "fitness": 0.1, "origin": "same shape", "parents": ["2 * x * log(y)"]}
    (folder / "result.json").write_text(
        json.dumps({"expression": "x * log(y)", "discovered": {"finalists": [finalist]}})
    )
    first, second = family(read_run(folder)).values()
    assert first.origin == Origin("same shape", (LossTree.parse("2 * x * log(y)"),))
    assert second.fitness == 0.1


def test_a_forged_circle_and_a_large_family_end(folder: Path) -> None:
    write(folder, {"x * y": ("mutation", ["x - y"]), "x - y": ("mutation", ["x * y"])}, "x * y")
    assert len(family(read_run(folder))) == 2
    names = [f"{number} * x * y" for number in range(2, 200)]
    chain = {name: ("mutation", names[max(0, index - 1) : index]) for index, name in enumerate(names)}
    chain[names[0]] = ("random", [])
    write(folder, dict(chain), names[-1])
    relatives = family(read_run(folder))
    assert [str(tree) for tree in relatives] == names[: -MAX_SHOWN - 1 : -1]
    assert f"The nearest {MAX_SHOWN} are shown." in Page(report_html([folder])).text
