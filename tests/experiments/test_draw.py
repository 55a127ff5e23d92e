import importlib
import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import (
    coefficients,
    discovery,
    larger_rates,
    learning_rate_control,
    test_accuracy,
    validation_2000_steps,
)
from experiments.draw import BEGIN, END, SCRIPTS, main, section, with_contests
from experiments.full_length import full_length
from experiments.records import RESULTS, Records, write_record
from experiments.trainings import Training
from tests.experiments.records import add

MNIST = Training(loss="baikal", steps=2000, learning_rate=0.01)


def test_everything_is_drawn_and_said_to_be_missing_where_there_are_no_records(tmp_path: Path) -> None:
    assert main(["--results", str(tmp_path / "none"), "--output", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    for name in SCRIPTS:
        assert f"`python -m experiments.{name}`" in text
        if f"figures/{name}.png" in text:
            assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
            assert (tmp_path / "figures" / f"{name}.svg").read_text().startswith("<?xml")
    assert "**Not yet run: 12 of 12 trainings.**" in text
    assert "| Baikal | 0.71 | 0.7071 |" in text


def test_the_tables_of_the_contests_are_written_into_a_page_of_the_documentation(tmp_path: Path) -> None:
    committed = (RESULTS.parent.parent / "docs" / "found.md").read_text()
    assert with_contests(committed, Records()) == committed
    page = tmp_path / "docs" / "found.md"
    page.parent.mkdir()
    page.write_text(f"# Losses\n\n{BEGIN}\nof old\n{END}\n\nThe end.\n")
    assert main(["--results", str(tmp_path / "none"), "--output", str(tmp_path / "experiments")]) == 0
    written = page.read_text()
    assert written.startswith(f"# Losses\n\n{BEGIN}\n\n| test score | cross-entropy |")
    assert "of old" not in written
    assert written.endswith(f"\n{END}\n\nThe end.\n")


def test_the_same_records_give_the_same_files(tmp_path: Path) -> None:
    records = Records(tmp_path / "results")
    for loss in ("cross_entropy", "baikal"):
        add(records, full_length(replace(MNIST, loss=loss, steps=20_000)), [0.99] * 80)
    texts, files = [], []
    for folder in (tmp_path / "first", tmp_path / "second"):
        texts.append(section("training_curves", Records(records.folder), folder))
        files.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert texts[0] == texts[1]
    assert "**Not yet run: 1 of 3 trainings.**" in texts[0]
    assert files[0] == files[1]
    assert set(files[0]) == {"training_curves.png", "training_curves.svg"}


def test_ours_stands_beside_the_paper_s(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for seed, accuracy in enumerate((0.5, 0.7)):
        add(records, replace(MNIST, seed=seed), [0.1], [accuracy])
    add(records, replace(MNIST, class_reduction="mean"), [0.1], [0.25])
    text = validation_2000_steps.report(validation_2000_steps.Options(), records).text
    assert "| Baikal | 0.9838 | 0.6000 (sd 0.1414) | 2 | 0.2500 | 1 |" in text
    assert "| BaikalCMA | 0.9902 | not yet run | 0 | not yet run | 0 |" in text


def test_losses_are_tested_against_each_other(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for seed in range(3):
        for loss, accuracy in (("cross_entropy", 0.5), ("baikal", 0.75)):
            add(records, replace(MNIST, loss=loss, steps=5000, seed=seed), [accuracy + seed / 100])
    text = test_accuracy.report(test_accuracy.Options(), records).text
    assert "| cross-entropy | 0.9899 (sd 0.0003) | not yet run | 0 | 0.5100 (sd 0.0100) | 3 |" in text
    assert "| Baikal over cross-entropy | 2.4e-11 | not yet run | 6.8e-06 |" in text


def test_each_loss_is_tested_at_the_shared_and_at_its_own_best_rate_with_fresh_seeds(tmp_path: Path) -> None:
    records = Records(tmp_path)
    options = learning_rate_control.Options()
    for rate in options.learning_rates:
        add(records, replace(MNIST, learning_rate=rate), [0.0], [1 - abs(rate - 0.1)])
    assert learning_rate_control.best_rate(options, records, "baikal") == 0.1
    assert learning_rate_control.best_rate(options, records, "baikal_cma") is None
    wanted = records.missing(learning_rate_control.wanted(options, records))
    assert [(each.seed, each.learning_rate) for each in wanted if each.loss == "baikal"] == [
        *((seed, 0.01) for seed in (1, 2, 3)),
        *((seed, 0.1) for seed in (1, 2, 3)),
    ]


def test_cross_entropy_at_a_larger_rate_is_compared_with_baikal_at_the_shared_one(tmp_path: Path) -> None:
    records = Records(tmp_path)
    options = larger_rates.Options(seeds=2)
    full = replace(MNIST, steps=20_000, evaluate_every=10_000)
    for seed in range(2):
        add(records, replace(full, loss="baikal", seed=seed), [0.9, 0.95 + seed / 100])
        add(records, replace(full, loss="cross_entropy", learning_rate=0.3, seed=seed), [0.9, 0.97 + seed / 100])
    rows = larger_rates.report(options, records).text.splitlines()
    (row,) = (line for line in rows if line.startswith("| cross-entropy | 0.3 |"))
    assert "| 0.9750 (sd 0.0071) | 2 | +0.0200 (" in row
    assert row.endswith("p = 0.11 | not yet run |")


def test_a_file_that_is_no_record_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trainings" / "mnist").mkdir(parents=True)
    (tmp_path / "trainings" / "mnist" / "broken.json").write_text("{")
    assert main(["--results", str(tmp_path), "--output", str(tmp_path)]) == 2
    assert "broken.json cannot be read as JSON" in capsys.readouterr().err


def test_a_best_rate_at_the_border_of_those_that_were_tried_is_said_to_be_one(tmp_path: Path) -> None:
    records = Records(tmp_path)
    options = learning_rate_control.Options()
    for loss, best in (("cross_entropy", 0.3), ("baikal", 0.1)):
        for rate in options.learning_rates:
            add(records, replace(MNIST, loss=loss, learning_rate=rate), [0.0], [1 - 4 * abs(rate - best)])
    text = learning_rate_control.report(options, records).text
    assert "At the border of what was tried: cross-entropy's (0.3);" in text
    assert "Next to a rate that fails: Baikal's (0.1; 0.3 fails);" in text


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_script_says_of_our_results_is_what_the_records_say(name: str) -> None:
    module = importlib.import_module(f"experiments.{name}")
    (ours,) = (text for text in (inspect.getdoc(module) or "").split("\n\n") if text.startswith("Ours:"))
    text = module.report(module.Options(), Records()).text
    assert [number for number in re.findall(r"\d\.\d{3,}", ours) if number not in text] == []


def test_a_loss_of_the_paper_that_a_search_has_found_is_named(tmp_path: Path) -> None:
    options = discovery.Options(results=tmp_path)
    finalists = [{"expression": text, "fitness": 0.5} for text in ("-(x / y) + log(y)", "x * log(y)^2")]
    outcome = {"result": {"discovered": {"finalists": finalists}}, "generations": []}
    write_record(tmp_path / f"{options.name}.json", {"format": 1, "outcome": outcome})
    records = Records(tmp_path)
    assert list(discovery.best_losses(options, records)) == ["baikal", "x * log(y)^2"]
    losses = [training.loss for training in discovery.wanted(options, records) if training.steps == options.steps]
    assert sorted(losses) == ["baikal", "baikal_cma", "cross_entropy", "x * log(y)^2"]
    assert "| Baikal, found | 0.5000 |" in discovery.report(options, records).text


def test_what_a_search_finds_is_trained_with_seeds_that_it_has_not_seen() -> None:
    assert discovery.Options(seed=4, seeds=2).fresh_seeds == range(7, 9)
    assert coefficients.Options(seed=0, seeds=2).fresh_seeds == range(2, 4)
