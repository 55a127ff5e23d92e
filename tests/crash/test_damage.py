"""A sample of `tests.crash.damage`."""

import random
from pathlib import Path

import pytest

from tests.crash.damage import Original, trial
from tests.search.conftest import bare_run  # noqa: F401  # a fixture
from tests.search.runs import FinishedRun


def test_nothing_wrong_comes_of_a_damaged_folder(
    bare_run: FinishedRun,  # noqa: F811
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    original = Original.of(bare_run.directory)
    draw = random.Random(1)
    outcomes = {trial(original, tmp_path / str(number), draw)[1] for number in range(150)}
    assert {"all trainings trusted", "some trainings trusted", "RunDirectoryError"} <= outcomes
