"""Real asynchronous searches, here and on workers, and the same again from nothing but their options and record."""

import shutil
from pathlib import Path

import pytest

from tests.crash.run_folders import contents
from tests.search.conftest import SEARCH
from tests.search.runs import FinishedRun, resume, run


@pytest.fixture(scope="module")
def asynchronous(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return run(tmp_path_factory.mktemp("asynchronous"), "discover", "--asynchronous", *SEARCH, num_devices=2)


def test_what_happens_is_recorded(asynchronous: FinishedRun) -> None:
    assert asynchronous.exit_code == 0, asynchronous.errors
    events = asynchronous.json_lines("events.jsonl")
    assert [one["candidate"] for one in events if one["event"] == "asked"] == list(range(16))
    assert sorted(one["candidate"] for one in events if one["event"] == "told") == list(range(16))
    assert [one["generation"] for one in asynchronous.json_lines("generations.jsonl")] == [1, 2]
    assert "Best loss found: " in asynchronous.output


def replayed(finished: FinishedRun, folder: Path) -> FinishedRun:
    """The run again, on one device, from its options and its order of events alone."""
    (folder / "run").mkdir()
    for name in ("config.json", "events.jsonl"):
        shutil.copy(finished.directory / name, folder / "run")
    return resume(folder)


def test_a_record_is_replayed_to_the_same_files_though_nothing_else_is_left(
    asynchronous: FinishedRun, tmp_path: Path
) -> None:
    again = replayed(asynchronous, tmp_path)
    assert again.exit_code == 0, again.errors
    assert contents(again.directory) == contents(asynchronous.directory)
    assert len(again.json("config.json")["devices"]) == 2


@pytest.mark.slow
def test_a_record_made_on_workers_is_replayed_here(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    on_workers = run(tmp_path / "workers", "discover", "--asynchronous", *SEARCH, "--cluster", "local:2")
    assert on_workers.exit_code == 0, on_workers.errors
    again = replayed(on_workers, tmp_path)
    assert again.exit_code == 0, again.errors
    assert contents(again.directory) == contents(on_workers.directory)
