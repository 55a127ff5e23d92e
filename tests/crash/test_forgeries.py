"""A sample of `tests.crash.forgeries`, and what its watch hears."""

import multiprocessing
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.crash.forgeries import Tally, sample
from tests.crash.watch import Watch
from tests.search.conftest import bare_run  # noqa: F401  # a fixture
from tests.search.runs import FinishedRun


def in_a_process_of_its_own(function: Callable[..., Any], *arguments: Any) -> Any:
    """An audit hook stays until a process ends."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        return executor.submit(function, *arguments).result()


@pytest.mark.slow
def test_a_forged_folder_is_read_or_refused_and_nothing_else_happens(
    bare_run: FinishedRun,  # noqa: F811
    tmp_path: Path,
) -> None:
    tally: Tally = in_a_process_of_its_own(sample, 120, bare_run.directory, tmp_path)
    assert tally.problems == []
    assert tally.outcomes.total() == 120
    assert min(tally.outcomes["data: refused"], tally.outcomes["run: refused, by load_run refused"]) > 5
    assert tally.outcomes["run: read, by load_run read"] > 5


def do_what_should_not_be_done(folder: Path) -> list[str]:
    watch = Watch()
    watch.folder = folder / "inside"
    watch.folder.mkdir(exist_ok=True)
    (folder / "inside" / "file").write_text("allowed")
    exec("pass")
    subprocess.run(["true"], check=False)
    os.system("true")
    (folder / "outside").write_text("not allowed")
    os.rename(folder / "outside", folder / "inside" / "file")
    watch.folder = None
    (folder / "outside").write_text("no longer watched")
    return [what.split()[0] for what in watch.found]


def test_the_watch_hears_what_should_not_be_done(tmp_path: Path) -> None:
    heard = in_a_process_of_its_own(do_what_should_not_be_done, tmp_path)
    assert {"exec", "compile", "subprocess.Popen", "os.system", "open", "os.rename"} <= set(heard)
    assert heard.count("open") == 1
