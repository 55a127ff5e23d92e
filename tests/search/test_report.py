"""`report.html`: what a run leaves, what `report` makes of the other files, and what a forged folder makes of it."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from glojax.expressions import LossTree
from glojax.losses import Loss
from glojax.reporting.elements import as_html
from glojax.search.__main__ import main
from glojax.search.comparison import RateTrial
from glojax.search.config_file import sealed
from glojax.search.report.outcome import rates
from glojax.search.report.records import NUM_DRAWN, read_run
from glojax.search.report.writing import report_html
from tests.search.fakes import UseStandIns, fitness_of
from tests.search.pages import Page
from tests.search.runs import FinishedRun

SEARCH = ("discover", "--preset", "paper", "--population-size", "10", "--num-elites", "2", "--seed", "3")

#: All elements that a report has, those of MathML aside.
PLAIN = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer", "script"),
    *("a", "button", "br", "code", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "h1", "h2", "h3"),
    *("i", "li", "p", "pre", "span", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    *("svg", "path", "circle", "rect", "text"),
}
MATHEMATICAL = {"math", "mrow", "mi", "mn", "mo", "msup", "msqrt", "mfrac", "mspace"}

Folder = Callable[[FinishedRun], Path]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Copies a run into the current folder, where it has the same path as when it was made."""
    monkeypatch.chdir(tmp_path)

    def copy(run: FinishedRun) -> Path:
        return shutil.copytree(run.directory, Path("run"))

    return copy


def edit(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("name", ["bare_run", "discover_run", "compare_run"])
def test_it_is_made_of_the_other_files_alone(request: pytest.FixtureRequest, copied: Folder, name: str) -> None:
    folder = copied(request.getfixturevalue(name))
    left = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert main(["report", "run"]) == 0
    assert (folder / "report.html").read_bytes() == left


def test_it_shows_what_the_run_has_found(bare_run: FinishedRun) -> None:
    page, result = Page((bare_run.directory / "report.html").read_text()), bare_run.json("result.json")
    assert result["expression"] in page.text
    for loss in result["comparison"]:
        assert f"{loss['test']['mean']:.4f}" in page.text
        for value in loss["test"]["values"]:
            assert ("data-tip", f"{loss['name']}\n{value:.4f}") in page.values
    for generation in bare_run.json_lines("generations.jsonl"):
        number, best = generation["generation"], generation["best_fitness"]
        assert any(text.startswith(f"generation {number}: best {best:.4f}") for _, text in page.values)
    assert f"{len(bare_run.json_lines('trainings.jsonl')):,}" in page.texts


def test_it_shows_curves_and_predicted_classes(compare_run: FinishedRun) -> None:
    page, result = Page((compare_run.directory / "report.html").read_text()), compare_run.json("result.json")
    tips = [value for name, value in page.values if name == "data-tip"]
    for name, curve in result["curves"].items():
        for step, score in zip(curve["steps"], curve["validation"], strict=True):
            assert any(f"step {step:,}\n" in tip and f"{name}: {score:.4f}" in tip for tip in tips)
    first = result["comparison"][0]
    predictions = result["predictions"][first["name"]]
    right = sum(row[number] for number, row in enumerate(predictions["confusion"]))
    num_examples = sum(map(sum, predictions["confusion"]))
    assert right / num_examples == pytest.approx(first["test"]["mean"], abs=1e-5)
    assert len(predictions["seeds"]) == len(first["test"]["values"])
    (total,) = {sum(bins) for bins in predictions["bins"][:1]}
    assert total == num_examples
    assert any("of class 0\npredicted as " in tip for tip in tips)
    assert "Predicted classes" in page.texts


def test_classes_have_their_names_where_the_data_set_says_them(bare_run: FinishedRun) -> None:
    run = read_run(bare_run.directory)
    clothes = replace(run, config={**run.config, "options": {"dataset": "fashion_mnist"}})
    assert run.class_names(3) == clothes.class_names(3) == ["0", "1", "2"]
    assert clothes.class_names(10)[8] == "8 Bag"


def test_the_learning_rates_of_the_found_loss_are_drawn_whatever_else_was_tried(bare_run: FinishedRun) -> None:
    run = read_run(bare_run.directory)
    found = next(iter(run.losses))
    names = [*(f"other {number}" for number in range(NUM_DRAWN)), found]
    tried = {name: [RateTrial(0.1, 0.5, 0), RateTrial(0.2, 0.6, 0)] for name in names}
    part = rates(replace(run, result=replace(run.result, rates=tried)))
    assert part is not None
    assert found in Page(as_html(part)).texts


def test_it_asks_no_server_for_anything(bare_run: FinishedRun) -> None:
    page = Page((bare_run.directory / "report.html").read_text())
    addresses = [value for name, value in page.values if "//" in value and name != "xmlns"]
    assert addresses == []
    assert set(page.tags) <= PLAIN | MATHEMATICAL
    assert [value for name, value in page.values if name in ("src", "href") and not value.startswith("#")] == []


def test_its_snippets_are_the_loss(bare_run: FinishedRun) -> None:
    expression = bare_run.json("result.json")["expression"]
    given, in_jax, *_ = Page((bare_run.directory / "report.html").read_text()).code
    logits, labels = jnp.array([[2.0, 0.5, -1.0]]), jnp.array([1])
    names: dict[str, Any] = {"logits": logits, "labels": labels}
    exec(given, names)
    assert names["loss"] == Loss(LossTree.parse(expression))
    exec(in_jax, names)
    np.testing.assert_allclose(names["loss"](logits, labels), names["losses"], rtol=1e-6)


def test_an_interrupted_run_has_one_and_goes_on(use_stand_ins: UseStandIns) -> None:
    counted = 0

    def interrupted(tree: LossTree) -> float:
        nonlocal counted
        counted += 1
        if counted == 12:
            raise KeyboardInterrupt
        return fitness_of(tree)

    use_stand_ins(interrupted)
    assert main([*SEARCH, "--run-dir", "run"]) == 130
    page = Page(Path("run/report.html").read_text())
    assert "This run has not come to its end." in page.texts
    assert page.code[-1] == "python -m glojax.search resume run"
    running = Page(report_html([Path("run")], is_running=True))
    assert "This run is going on." in running.texts
    assert main(["resume", "run"]) == 0
    finished = Path("run/report.html").read_text()
    assert "has not come to its end" not in finished
    assert finished == report_html([Path("run")])


def test_several_runs_stand_side_by_side(
    copied: Folder, bare_run: FinishedRun, compare_run: FinishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(compare_run.directory, copied(bare_run).with_name("other"))
    before = Path("run/report.html").read_bytes()
    assert main(["report", "run", "other"]) == 0
    assert capsys.readouterr().out == "Report: report.html\n"
    page = Page(Path("report.html").read_text())
    assert page.texts.count("run") == page.texts.count("other") > 3
    assert Path("run/report.html").read_bytes() == before
    assert main(["report", "run", "--output", "page.html"]) == 0
    assert Path("page.html").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "nowhere holds no run"),
        ([], "There is no run to report"),
        (["run", "--output", "no/page.html"], "Cannot write no/page.html: there is no folder no;"),
    ],
)
def test_what_cannot_be_reported_is_said(
    copied: Folder, compare_run: FinishedRun, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    copied(compare_run)
    assert main(["report", *arguments]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {expected}")
    assert errors.count("\n") == 1


def test_texts_of_a_stranger_are_no_markup(copied: Folder, compare_run: FinishedRun) -> None:
    folder = copied(compare_run)
    harm = "\"'><img src=x onerror=alert(1)><script>alert(1)</script></style></svg>\u202e\x00"
    config = json.loads((folder / "config.json").read_text())
    config |= {"command": harm, "started": harm, "devices": [harm], "versions": {harm: harm}}
    config["options"] |= {"dataset": harm, harm: harm}
    config["resolved"] |= {"network": harm, "dataset_origin": harm}
    (folder / "config.json").write_text(json.dumps(sealed(config)))
    losses = json.loads((folder / "result.json").read_text())["comparison"]
    others = {"curves": {harm: {"steps": [1, 2], "validation": [0.5, None]}}}
    others |= {"predictions": {harm: {"seeds": [0], "confusion": [[1.0]], "bins": [[1.0] * 15] * 3}}}
    comparison = [one | {"name": harm} for one in losses]
    edit(folder / "result.json", metric=harm, test_split=harm, comparison=comparison, **others)
    source = report_html([folder])
    page = Page(source)
    assert set(page.tags) <= PLAIN | MATHEMATICAL
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert "<img src=x onerror=alert(1)>" in page.text
    assert not {"\u202e", "\x00"} & set(source)


@pytest.mark.parametrize(
    "fields",
    [
        {"learning_rate": "fast"},
        {"expression": "log("},
        {"search": {"candidates": 1}},
        {"rates": [1]},
        {"verdict": [{"against": "baikal"}]},
        {"tuning": [None]},
        {"comparison": 3},
        {"num_outputs": []},
        {"curves": {"baikal": {"steps": [1, 2], "validation": [0.5]}}},
        {"predictions": {"baikal": {"seeds": [0], "confusion": [[1.0, 2.0]], "bins": [[0.0] * 15] * 3}}},
        {"predictions": {"baikal": {"seeds": [0], "confusion": [[1.0]], "bins": [[0.0]] * 3}}},
    ],
)
def test_a_result_of_other_types_is_refused(
    copied: Folder, discover_run: FinishedRun, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    edit(copied(discover_run) / "result.json", **fields)
    assert main(["report", "run"]) == 2
    assert capsys.readouterr().err.startswith("error: run cannot be read (")


def test_numbers_without_measure_leave_a_page_of_bounded_size(copied: Folder, bare_run: FinishedRun) -> None:
    folder = copied(bare_run)
    huge = 1.7e308
    result = json.loads((folder / "result.json").read_text())
    (loss, *_) = result["comparison"]
    scores = {"mean": huge, "sd": huge, "values": [huge, -huge, float("inf"), 0.5] * 500}
    tried = [{"learning_rate": rate, "mean_validation": huge, "non_finite": 0} for rate in (5e-324, huge, 0.0, -1.0)]
    comparison = [loss | {"name": f"{number}", "test": scores, "tried": tried} for number in range(60)]
    verdict = {"against": "other", "rate": huge, "difference": huge, "interval": [-huge, huge], "p": huge}
    counts = {"candidates": 2**62, "drawn": 2**62, "trained": 0, "candidate_steps": 2**62, "rejected": {"a": -1}}
    edit(
        folder / "result.json",
        comparison=comparison,
        rates={"other": tried},
        curves={
            f"{number}": {"steps": [*range(9000)], "validation": [huge, None, -huge] * 3000} for number in range(9)
        },
        predictions={"0": {"seeds": [], "confusion": [[huge, -1.0] * 50] * 100, "bins": [[5e-324, huge, 0] * 5] * 3}},
        verdict=[verdict | {"better": False, "sentence": "s" * 9}] * 50,
        search=counts | {"audit": {"checked": 1, "false_rejections": 1, "interval": [huge, -huge]}},
    )
    candidate = json.loads((folder / "candidates.jsonl").read_text().splitlines()[0])
    fitness = [huge, -huge, float("inf"), 0.1, 5e-324]
    lines = [json.dumps(candidate | {"fitness": fitness[number % 5]}) + "\n" for number in range(2000)]
    (folder / "candidates.jsonl").write_text("".join(lines))
    generation = json.loads((folder / "generations.jsonl").read_text().splitlines()[0])
    (folder / "generations.jsonl").write_text(json.dumps(generation | {"seconds": huge}) + "\n")
    source = report_html([folder])
    assert len(source.encode()) < 3 * 2**20
    drawn = [value for name, value in Page(source).values if name in ("d", "cx", "cy", "x", "y", "width", "height")]
    assert len(drawn) > 100
    assert [value for value in drawn if re.search("nan|inf|e[+]", value)] == []
