import json
import shutil
from pathlib import Path

import pytest

import glojax
from glojax.errors import RunDirectoryError
from glojax.expressions import LossTree
from glojax.search.config_file import sealed
from glojax.search.loop import rank
from tests.crash.run_folders import contents
from tests.search.runs import FinishedRun
from tests.training.test_metrics import within_two

#: The rest of a generation and of a candidate.
GENERATION = (
    b'"generation": 1, "best_fitness": 0.5, "median_fitness": 0.5, "best_expression": "x", "trained": 1, '
    b'"non_finite": 0, "lacks_variable": 0, "crashed": 0, "cached": 0, "candidate_steps": 3}\n'
)
CANDIDATE = b'"fitness": 0.5, "status": "trained", "steps": 3, "learning_rate": 0.1, "phase": "tuning"}\n'


def test_a_finished_run_is_read_back(bare_run: FinishedRun) -> None:
    before = contents(bare_run.directory)
    saved = glojax.load_run(bare_run.directory)
    assert (saved.path, saved.command, saved.options["seed"]) == (bare_run.directory, "run", 5)
    assert (saved.training.num_steps, saved.training.learning_rate) == (3, 0.05)
    assert saved.best == LossTree.parse(bare_run.json("result.json")["expression"])
    assert saved.result == bare_run.json("result.json")
    assert saved.comparison == bare_run.json("result.json")["comparison"]
    candidates = bare_run.json_lines("candidates.jsonl")
    assert [(one.expression, one.fitness, one.status, one.steps, one.learning_rate) for one in saved.evaluations] == [
        tuple(one[key] for key in ("expression", "fitness", "status", "steps", "learning_rate")) for one in candidates
    ]
    assert [record.generation for record in saved.generations] == [1, 2]
    assert [record.best_expression for record in saved.tuning] == [
        line["best_expression"] for line in bare_run.json_lines("tuning.jsonl")
    ]
    fame = saved.hall_of_fame
    assert [rank(one) for one in fame] == sorted(rank(one) for one in fame)
    assert {one.expression for one in fame} == {one["expression"] for one in candidates if one["fitness"] is not None}
    assert contents(bare_run.directory) == before


def test_the_name_of_the_folder_may_be_text(bare_run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bare_run.directory.parent)
    assert glojax.load_run("run").best == glojax.load_run(bare_run.directory).best


@pytest.fixture
def unfinished(bare_run: FinishedRun, tmp_path: Path) -> Path:
    """Return the folder of a run that was killed in its second generation, in the middle of a line."""
    shutil.copytree(bare_run.directory, tmp_path / "run")
    for name in ("result.json", "summary.png", "hall_of_fame.csv", "tuning.jsonl"):
        (tmp_path / "run" / name).unlink()
    candidates = tmp_path / "run" / "candidates.jsonl"
    candidates.write_bytes(b"".join(candidates.read_bytes().splitlines(keepends=True)[:9])[:-20])
    generations = tmp_path / "run" / "generations.jsonl"
    generations.write_bytes(generations.read_bytes().splitlines(keepends=True)[0])
    return tmp_path / "run"


def test_an_unfinished_run_is_read_back_as_far_as_it_has_come(bare_run: FinishedRun, unfinished: Path) -> None:
    saved, whole = glojax.load_run(unfinished), glojax.load_run(bare_run.directory)
    assert (saved.result, saved.comparison, saved.tuning) == (None, None, [])
    assert saved.evaluations == whole.evaluations[:8]
    assert saved.generations == whole.generations[:1]
    assert saved.best == (saved.hall_of_fame[0].tree if saved.hall_of_fame else None)


def test_a_run_that_has_only_begun_has_no_best(unfinished: Path) -> None:
    for name in ("candidates.jsonl", "generations.jsonl", "trainings.jsonl"):
        (unfinished / name).unlink()
    saved = glojax.load_run(unfinished)
    assert (saved.evaluations, saved.generations, saved.hall_of_fame, saved.best) == ([], [], [], None)


def test_a_comparison_has_no_single_best_loss(compare_run: FinishedRun) -> None:
    saved = glojax.load_run(compare_run.directory)
    assert (saved.command, saved.best, saved.evaluations) == ("compare", None, [])
    assert [one["name"] for one in saved.comparison or ()] == list(saved.options["losses"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("candidates.jsonl", b'{"expression": "x * z"}\n'),
        ("candidates.jsonl", b'{"fitness": 1}\n'),
        ("candidates.jsonl", b"\n"),
        ("candidates.jsonl", b"\xff\n"),
        ("generations.jsonl", b'{"generation": 1}\n'),
        ("generations.jsonl", b"[" * 100_000 + b"\n"),
        ("generations.jsonl", b'{"seconds": null, ' + GENERATION),
        ("generations.jsonl", b'{"seconds": "1", ' + GENERATION),
        ("generations.jsonl", b'{"seconds": NaN, ' + GENERATION),
        ("generations.jsonl", b'{"seconds": -1.0, ' + GENERATION),
        ("generations.jsonl", b'{"seconds": 1.0, "more": 1, ' + GENERATION),
        ("generations.jsonl", b'{"seconds": 1.0, ' + GENERATION.replace(b'"trained": 1', b'"trained": -1')),
        ("generations.jsonl", b'{"seconds": 1.0, ' + GENERATION.replace(b'"trained": 1', b'"trained": true')),
        ("generations.jsonl", b'{"seconds": 1.0, ' + GENERATION.replace(b"0.5", b"9" * 400)),
        ("candidates.jsonl", b'{"expression": ["x"], ' + CANDIDATE),
        ("candidates.jsonl", b'{"expression": "x * y", ' + CANDIDATE.replace(b"trained", b"tried")),
        ("candidates.jsonl", b'{"expression": "x * y", ' + CANDIDATE.replace(b"0.5", b"{}")),
        ("tuning.jsonl", b"[]\n"),
        ("result.json", b"{"),
        ("result.json", b"[]"),
        ("result.json", b'{"expression": 1}'),
        ("result.json", b'{"expression": "x * z"}'),
        ("result.json", b'{"comparison": {}}'),
        ("result.json", b'{"comparison": [{"name": "baikal"}]}'),
        ("result.json", b'{"comparison": [[]]}'),
    ],
)
def test_a_damaged_file_is_refused_with_advice(unfinished: Path, name: str, content: bytes) -> None:
    (unfinished / name).write_bytes(content)
    with pytest.raises(
        RunDirectoryError, match=r"run cannot be read \(.*\); let `python -m glojax.search resume .*run` mend"
    ):
        glojax.load_run(unfinished)


def test_a_record_of_the_right_types_is_read(unfinished: Path) -> None:
    """So the refusals above are for what was changed."""
    (unfinished / "generations.jsonl").write_bytes(b'{"seconds": 1.0, ' + GENERATION)
    (unfinished / "candidates.jsonl").write_bytes(b'{"expression": "x * y", ' + CANDIDATE)
    saved = glojax.load_run(unfinished)
    assert (len(saved.generations), len(saved.evaluations)) == (1, 1)


def test_a_link_in_the_folder_is_not_followed(unfinished: Path) -> None:
    (unfinished / "result.json").symlink_to(unfinished / "config.json")
    with pytest.raises(RunDirectoryError, match=r"result\.json is a link"):
        glojax.load_run(unfinished)


def test_a_folder_without_a_run_is_refused(tmp_path: Path, unfinished: Path) -> None:
    with pytest.raises(RunDirectoryError, match="holds no run"):
        glojax.load_run(tmp_path)
    (unfinished / "config.json").write_text("{}")
    with pytest.raises(RunDirectoryError, match=r"config\.json cannot be read"):
        glojax.load_run(unfinished)


def test_a_function_of_a_file_may_be_named_by_a_relative_path(
    unfinished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (unfinished / "own.py").write_text("def score(outputs, targets, weights):\n    return outputs.sum()\n")
    path = unfinished / "config.json"
    config = json.loads(path.read_text())
    config["options"]["training"]["metric"] = f"{unfinished.absolute()}/own.py:score"
    path.write_text(json.dumps(sealed(config)))
    monkeypatch.chdir(unfinished)
    metric = glojax.load_run(unfinished, functions="own.py:score").training.metric
    assert getattr(metric, "__name__", None) == "score"


def test_a_function_is_imported_where_the_caller_names_it(unfinished: Path) -> None:
    path, metric = unfinished / "config.json", "tests.training.test_metrics:within_two"
    config = json.loads(path.read_text())
    config["options"]["training"]["metric"] = metric
    path.write_text(json.dumps(sealed(config)))
    with pytest.raises(
        RunDirectoryError, match=r"names code, tests.training.test_metrics:within_two, .*give functions="
    ):
        glojax.load_run(unfinished)
    assert glojax.load_run(unfinished, functions=[metric]).training.metric is within_two
