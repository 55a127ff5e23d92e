"""Searches and comparisons on other tasks than classification, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glojax.networks import NETWORKS
from glojax.search.__main__ import main
from tests.search.fakes import no_picture  # noqa: F401
from tests.training.test_tasks import Linear

pytestmark = pytest.mark.usefixtures("no_picture")


@pytest.fixture(autouse=True)
def linear_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Instead of the networks that the data sets have by default; they compile in a fifth of the time."""
    monkeypatch.chdir(tmp_path)
    for name in ("SmallMLP", "SmallFCN"):
        monkeypatch.setitem(NETWORKS, name, Linear)


SHORT = ("--steps", "4", "--batch-size", "8", "--seeds", "2", "--devices", "1", "--run-dir", "run")


def results() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Path("run/result.json").read_text())
    return record


def test_a_search_on_numbers_ends_and_says_how_it_compares(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--generations", "1", "--population-size", "4", "--num-elites", "1", "--tuned", "0")
    few = ("--finalists", "2", "--finalist-seeds", "1", "--learning-rate", "0.01")
    initial = ("--initial-losses", "huber", "-(x - y)^2 - abs(x)")
    assert main(["--dataset", "diabetes", "--preset", "paper", *SHORT, *options, *few, *initial]) == 0
    record, out = results(), capsys.readouterr().out
    assert (record["task"], record["metric"]) == ("regression", "r2")
    names = [loss["name"] for loss in record["comparison"]]
    standard = ["squared_error", "squared_error_best_rate", "absolute_error", "huber", "log_cosh"]
    assert names == ["discovered", *standard]
    assert all(np.isfinite(loss["test"]["values"]).all() for loss in record["comparison"])
    assert "SmallMLP: 4 steps of 8 examples" in out
    assert "R2 over 2 fresh seeds" in out
    assert "x: target, y: prediction" in out
    assert "Test:             R2 " in out
    assert "ccuracy" not in out
    assert json.loads(Path("run/config.json").read_text())["resolved"]["task"] == "regression"


def test_a_comparison_on_pixels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--losses", "cross_entropy", "--dataset", "digit_segmentation", *SHORT]) == 0
    record = results()
    assert (record["task"], record["metric"]) == ("segmentation", "iou")
    assert 0.2 < record["comparison"][0]["test"]["mean"] < 1
    assert "IOU over 2 fresh seeds" in capsys.readouterr().out


def test_another_metric_of_classes(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--losses", "cross_entropy", "--dataset", "wine", "--metric", "calibration_error")
    assert main(["compare", *options, *SHORT]) == 0
    assert results()["metric"] == "calibration_error"
    assert "Calibration error over 2 fresh seeds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--losses", "cross_entropy", "--dataset", "diabetes"), "The loss cross_entropy is for classification"),
        (("--losses", "huber_best_rate", "--dataset", "wine"), "The loss huber is for regression"),
        (
            ("--losses", "huber", "--dataset", "diabetes", "--metric", "accuracy"),
            "which is none for regression; expected one of r2",
        ),
        (("--losses", "huber", "--dataset", "diabetes", "--task", "multilabel"), "its task is known: leave --task out"),
        (("--losses", "baikal", "--dataset", "wine", "--network", "SmallFCN"), "needs (3,); choose a network made for"),
    ],
)
def test_what_does_not_fit_the_task_is_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def four_outputs(rngs: Any) -> Any:
        return Linear(rngs, num_inputs=13, num_outputs=4)

    monkeypatch.setitem(NETWORKS, "SmallFCN", four_outputs)
    assert main(["compare", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_named_constraint_is_for_probabilities(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--preset", "paper", "--constraint", "bounded")
    assert main(["discover", *options, "--dataset", "diabetes", "--run-dir", "run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Constraint 'bounded' is for label and probability, and x and y are numbers here; leave it out" in line
    assert not Path("run").exists()


@pytest.mark.parametrize(("dataset", "is_loss"), [("diabetes", True), ("wine", False)])
def test_what_lacks_a_variable_depends_on_the_domain(
    dataset: str, is_loss: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glojax.search.opening.make_train", _stop)
    assert main(["compare", "--losses", "x * (y / y)", "--dataset", dataset]) == 2
    assert ("lacks x or y, and cannot be compared" in capsys.readouterr().err) != is_loss


def test_targets_that_could_be_for_two_tasks_need_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(40, 3)), np.eye(2, dtype=int)[rng.integers(0, 2, 40)]
    np.savez(tmp_path / "mine.npz", x_train=inputs, y_train=labels, x_test=inputs[:9], y_test=labels[:9])
    compare = ("compare", "--losses", "binary_cross_entropy", "--dataset", "mine.npz")
    assert main([*compare]) == 2
    assert "could be for classification or for multilabel; expected one of these" in capsys.readouterr().err
    monkeypatch.setattr("glojax.search.opening.make_train", _stop)
    assert main([*compare, "--task", "multilabel"]) == 2
    assert "multilabel" in capsys.readouterr().err


def _stop(network: Callable[..., Any], dataset: Any, config: Any) -> None:
    from glojax.errors import ConfigurationError

    raise ConfigurationError(dataset.task)
