"""A real asynchronous search, and the same again from nothing but its options and its record."""

import json
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
    assert [one["candidate"] for one in events if one["event"] == "drawn"] == list(range(16))
    assert sorted(one["candidate"] for one in events if one["event"] == "back") == list(range(16))
    assert [one["generation"] for one in asynchronous.json_lines("generations.jsonl")] == [1, 2]
    assert "Best loss found: " in asynchronous.output


def test_a_record_is_replayed_to_the_same_files_though_nothing_else_is_left(
    asynchronous: FinishedRun, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    for name in ("config.json", "events.jsonl"):
        shutil.copy(asynchronous.directory / name, tmp_path / "run")
    replayed = resume(tmp_path)
    assert replayed.exit_code == 0, replayed.errors
    assert contents(replayed.directory) == contents(asynchronous.directory)
    assert len(json.loads((tmp_path / "run" / "config.json").read_text())["devices"]) == 2
