"""A real asynchronous search on workers, and the same again here, from nothing but its options and record."""

import re
import shutil
from pathlib import Path

import pytest

from tests.crash.run_folders import contents
from tests.search.conftest import SEARCH
from tests.search.runs import FinishedRun, resume, run


@pytest.fixture(scope="module")
def asynchronous(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A search on two workers."""
    return run(tmp_path_factory.mktemp("asynchronous"), "discover", "--asynchronous", *SEARCH, "--cluster", "local:2")


@pytest.mark.slow
def test_what_happens_is_recorded(asynchronous: FinishedRun) -> None:
    assert asynchronous.exit_code == 0, asynchronous.errors
    events = asynchronous.json_lines("events.jsonl")
    assert [one["candidate"] for one in events if one["event"] == "asked"] == list(range(16))
    assert sorted(one["candidate"] for one in events if one["event"] == "told") == list(range(16))
    assert [one["generation"] for one in asynchronous.json_lines("generations.jsonl")] == [1, 2]
    assert re.search(r"Waiting for a worker of local:2, at tcp://127\.0\.0\.1:\d+\.", asynchronous.output)
    assert "Best loss found: " in asynchronous.output
    assert asynchronous.errors == ""


@pytest.mark.slow
def test_the_record_is_replayed_here_to_the_same_files_though_nothing_else_is_left(
    asynchronous: FinishedRun, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    for name in ("config.json", "events.jsonl"):
        shutil.copy(asynchronous.directory / name, tmp_path / "run")
    again = resume(tmp_path)
    assert again.exit_code == 0, again.errors
    assert contents(again.directory) == contents(asynchronous.directory)
