from tests.search.conftest import COMPARED
from tests.search.runs import FinishedRun


def test_it_ends_well_and_leaves_its_files(compare_run: FinishedRun) -> None:
    assert compare_run.exit_code == 0
    assert "Traceback" not in compare_run.errors
    assert "Warning" not in compare_run.errors
    assert compare_run.names == ["config.json", "report.html", "result.json", "trainings.jsonl"]


def test_config_holds_the_losses_as_given(compare_run: FinishedRun) -> None:
    config = compare_run.json("config.json")
    assert config["command"] == "compare"
    assert config["options"]["losses"] == list(COMPARED)
    assert config["options"]["network"] == "SmallMLP"
    assert "genetic" not in config["options"]


def test_the_result_has_the_losses_in_the_order_asked_for(compare_run: FinishedRun) -> None:
    result = compare_run.json("result.json")
    keys = {"task", "metric", "num_outputs", "test_split", "seeds", "comparison", "welch", "curves", "predictions"}
    assert set(result) == keys
    assert result["seeds"] == [5, 6]
    assert [record["name"] for record in result["comparison"]] == list(COMPARED)
    assert len(result["welch"]) == 6


def test_a_name_and_its_text_are_the_same_loss(compare_run: FinishedRun) -> None:
    _, named, written, _ = compare_run.json("result.json")["comparison"]
    assert named["expression"] == written["expression"] == "log(y) - x / y"
    for key in ("learning_rate", "validation", "test", "non_finite"):
        assert named[key] == written[key]


def test_the_best_rate_is_a_multiple_of_the_one_given(compare_run: FinishedRun) -> None:
    *others, best = compare_run.json("result.json")["comparison"]
    assert {record["learning_rate"] for record in others} == {0.02}
    assert best["expression"] == "log(y) - x / y"
    assert best["learning_rate"] in [0.02 * factor for factor in (0.3, 1.0, 3.0, 10.0, 30.0)]


def test_it_prints_a_row_for_each_loss(compare_run: FinishedRun) -> None:
    assert "\x1b" not in compare_run.output
    lines = [line.strip() for line in compare_run.output.splitlines()]
    for name in COMPARED:
        assert any(line.startswith(name) for line in lines)
    assert f"Comparison: 16 trainings of {', '.join(COMPARED)}" in lines
