"""The ranking of losses in lower precision: what is trained, and the table of its records."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tyro
from scipy import stats

from experiments import precision_ranking
from experiments.precision_ranking import LEARNS, STANDARD, Options, main, rank_correlation, report
from experiments.records import Records, read_record, reproducible, write_record
from glojax.evaluation import TrainingJournal, shape_of
from glojax.expressions import LossTree, canonical
from glojax.networks import NETWORKS
from tests.linear_network import LinearNetwork

SMALL = ["--losses", str(len(STANDARD) + 2), "--steps", "40", "--seeds", "1", "--devices", "1"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small ranking, of a network that compiles fast."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "DigitsCNN", LinearNetwork)
        assert main([*SMALL, "--results", str(folder)]) == 0
    return folder


def records_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The records, by their precision."""
    records = [read_record(path) for path in (folder / "precision_ranking").glob("*.json")]
    return {record["config"]["precision"]: record for record in records}


def test_both_precisions_train_the_same_losses_and_only_float32_other_seeds(results: Path) -> None:
    records = records_of(results)
    losses = {
        precision: {loss["expression"]: loss["validation"] for loss in record["outcome"]["losses"]}
        for precision, record in records.items()
    }
    assert losses.keys() == {"float32", "bf16"}
    assert [*losses["float32"]] == [*losses["bf16"]]
    assert len(losses["bf16"]) == len(STANDARD) + 2
    assert {precision: record["outcome"]["seeds"] for precision, record in records.items()} == {
        "float32": [0, 1],
        "bf16": [0],
    }
    # The network has no convolution, and a CPU rounds nothing else.
    assert all(losses["bf16"][loss] == scores[:1] for loss, scores in losses["float32"].items())


def test_the_command_of_a_record_has_its_options(results: Path) -> None:
    for precision, record in records_of(results).items():
        options = tyro.cli(Options, args=shlex.split(record["command"])[3:])
        assert (options.losses, options.steps, options.seeds) == (len(STANDARD) + 2, 40, 1)
        assert options.precisions == (() if precision == "float32" else (precision,))


def test_random_losses_learn_and_have_shapes_of_their_own(results: Path) -> None:
    losses = records_of(results)["float32"]["outcome"]["losses"]
    shapes = [shape_of(LossTree.parse(loss["expression"]), 10) for loss in losses]
    assert len({shape.fingerprint for shape in shapes}) == len(losses)
    for loss in losses[len(STANDARD) :]:
        # With another seed than those that rank it was above the limit.
        assert min(loss["validation"]) > LEARNS - 0.2


def test_a_ranking_that_was_stopped_goes_on_to_the_same_record(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(NETWORKS, "DigitsCNN", LinearNetwork)
    add, done = TrainingJournal.add, []

    def stop_after_five(journal: TrainingJournal, *training: Any) -> None:
        add(journal, *training)
        done.append(training)
        if len(done) == 5:
            raise KeyboardInterrupt

    command = [*SMALL, "--results", str(tmp_path)]
    with monkeypatch.context() as patched:
        patched.setattr(TrainingJournal, "add", stop_after_five)
        assert main(command) == 130
    assert not list(tmp_path.rglob("*.json"))
    journal = precision_ranking._journal_path(Options(losses=len(STANDARD) + 2, steps=40, seeds=1), "float32")
    known = len(TrainingJournal(journal))
    assert known >= 5
    assert main(command) == 0
    assert not journal.exists()
    again, first = records_of(tmp_path), records_of(results)
    assert {name: reproducible(each) for name, each in again.items()} == {
        name: reproducible(each) for name, each in first.items()
    }
    assert "| bf16 | float32, same seeds | 1.000 | 1.000 to 1.000 | +0.0000 |" in capsys.readouterr().out


def test_tf32_is_refused_on_a_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--precisions", "bf16", "tf32", "--results", str(tmp_path)]) == 2
    assert "tf32, which is float32 on a CPU" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_rank_correlation_is_scipy_s_within_its_interval() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 8, 30) / 8.0  # with ties
    second = first + rng.normal(0, 0.2, 30)
    rho, low, high = rank_correlation(first, second)
    assert rho == pytest.approx(stats.spearmanr(first, second).statistic)
    assert -1 <= low < rho < high <= 1
    # The interval by Fisher's transform, for data without ties.
    width = 2 * np.sqrt((1 + rho**2 / 2) / 27) * (1 - rho**2) * 1.96
    assert high - low == pytest.approx(width, rel=0.5)


def test_the_table_compares_with_the_same_and_with_other_seeds(tmp_path: Path) -> None:
    options = Options(results=tmp_path, seeds=2)
    expressions = [str(canonical(tree)) for tree in STANDARD.values()]
    for precision, sets in (("float32", (1, -1)), ("tf32", (-1,))):
        losses = [
            {
                "expression": expression,
                "validation": [sign * index / 100 + wobble for sign in sets for wobble in (0, 0.5)],
            }
            for index, expression in enumerate(expressions)
        ]
        record = {"format": 1, "device": {"kind": f"a device for {precision}"}, "outcome": {"losses": losses}}
        write_record(tmp_path / f"{options.name(precision)}.json", record)
    text = report(options, Records(tmp_path)).text
    assert "| float32 | float32, other seeds | -1.000 | -1.000 to -1.000 | +0.1500 |" in text
    assert "| tf32 | float32, same seeds | -1.000 | -1.000 to -1.000 | -0.1500 |" in text
    assert "| tf32 | float32, other seeds | 1.000 | 1.000 to 1.000 | +0.0000 |" in text
    assert text.count("not yet run") == 6
    assert "16 losses, 0 of them random." in text
    assert "float32 on a device for float32; tf32 on a device for tf32" in text
