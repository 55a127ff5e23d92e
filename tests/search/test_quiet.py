"""What is printed beside the result: nothing with --quiet, and no colours with NO_COLOR."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glojax.search.__main__ import main
from tests.search.fakes import UseStandIns, fitness_of

SEARCH = (
    *("discover", "--preset", "paper", "--population-size", "10", "--num-elites", "2", "--generations", "3"),
    *("--seed", "3"),
)


@pytest.mark.parametrize("quiet", [False, True])
def test_a_quiet_search_prints_its_result_alone(
    quiet: bool, use_stand_ins: UseStandIns, capsys: pytest.CaptureFixture[str]
) -> None:
    use_stand_ins(fitness_of)
    assert main([*SEARCH, *["--quiet"] * quiet, "--run-dir", "run"]) == 0
    progress, _, result = capsys.readouterr().out.partition("\nBest loss found:")
    assert result.endswith("\nResults: run\nReport:  run/report.html\n")
    lines = progress.splitlines()
    assert not lines if quiet else lines[1:3] == ["Run directory: run", "Search: 30 candidates"]


def test_a_quiet_search_warns(
    use_stand_ins: UseStandIns, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    use_stand_ins(fitness_of)
    images, labels = np.zeros((60, 4, 4), np.uint8), 1 + np.arange(60) % 3
    np.savez("own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert main([*SEARCH, "--dataset", "own.npz", "--batch-size", "10", "--quiet"]) == 0
    assert "the labels run from 1 to 3; they were renumbered from 0" in caplog.text
    assert capsys.readouterr().out.startswith("\nBest loss found:")


def test_without_colours_help_has_no_escapes(tmp_path: Path) -> None:
    own, terminal = pty.openpty()
    command = [sys.executable, "-m", "glojax.search", "export", "--help"]
    settings = os.environ | {"NO_COLOR": "1", "TERM": "xterm"}
    with open(own, "rb", buffering=0) as reader, open(terminal, "wb") as output:
        assert subprocess.run(command, cwd=tmp_path, env=settings, stdout=output, check=False).returncode == 0
        shown = reader.read(65536)
    assert shown.startswith(b"usage: ")
    assert b"\x1b" not in shown
