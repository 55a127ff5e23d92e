"""Early stopping on the command line."""

import json
from pathlib import Path

import pytest

from glojax.search.__main__ import main
from tests.search.fakes import UseStandIns, no_picture, short  # noqa: F401

pytestmark = pytest.mark.usefixtures("no_picture")

COMPARE = ("compare", "--losses", "baikal", "--seeds", "1", "--steps", "20", "--evaluate-every", "5")


def test_patience_is_recorded(tmp_path: Path, use_stand_ins: UseStandIns) -> None:
    use_stand_ins(short)
    assert main([*COMPARE, "--patience", "2", "--run-dir", str(tmp_path / "run")]) == 0
    training = json.loads((tmp_path / "run" / "config.json").read_text())["options"]["training"]
    assert (training["evaluate_every"], training["patience"]) == (5, 2)


def test_evaluations_that_nothing_needs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMPARE]) == 2
    assert "--evaluate-every is given without --patience" in " ".join(capsys.readouterr().err.split())
