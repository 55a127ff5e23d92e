import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from glojax.errors import RunDirectoryError
from glojax.search.run_directory import RunDirectory


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run", "compare")


def names(directory: RunDirectory) -> list[str]:
    return sorted(path.name for path in directory.path.iterdir() if not path.name.startswith("."))


def test_a_new_directory_is_made_with_its_parents_and_is_empty(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "a" / "b", "compare")
    assert directory.path == tmp_path / "a" / "b"
    assert names(directory) == []


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path, "compare").path == tmp_path


def test_a_directory_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    with pytest.raises(RunDirectoryError, match=r"is not empty; give a new or empty folder as --run-dir"):
        RunDirectory.create(tmp_path, "compare")
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]


def test_a_directory_in_which_a_run_did_not_come_to_its_first_file_is_taken_again(tmp_path: Path) -> None:
    for name in (".lock", ".holder.json", f".unfinished-{'0' * 32}-config.json"):
        (tmp_path / name).write_text("{")
    directory = RunDirectory.create(tmp_path, "compare")
    assert {path.name for path in tmp_path.iterdir()} == {".lock", ".holder.json"}
    directory.write_json("config.json", {})
    directory.release()
    with pytest.raises(RunDirectoryError, match="is not empty"):
        RunDirectory.create(tmp_path, "compare")


def test_an_unfinished_file_of_a_run_that_was_begun_is_left_alone(tmp_path: Path) -> None:
    unfinished = tmp_path / ".unfinished-1234-result.json"
    unfinished.touch()
    with pytest.raises(RunDirectoryError, match="is not empty"):
        RunDirectory.create(tmp_path, "compare")
    assert unfinished.exists()


def test_searches_that_start_in_the_same_second_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda path: False)  # what others make is seen by none of them
    with ThreadPoolExecutor(20) as pool:
        paths = [done.path for done in pool.map(lambda _: RunDirectory.create(None, "discover"), range(20))]
    assert len(set(paths)) == 20


def test_the_default_is_an_unused_name_under_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    directories = [RunDirectory.create(None, "discover").path for _ in range(3)]
    assert len(set(directories)) == 3
    for path in directories:
        assert path.parent == Path("runs")
        assert path.is_dir()
        assert "-discover" in path.name


def test_a_whole_file_replaces_the_old_one(directory: RunDirectory) -> None:
    directory.write_json("result.json", {"old": 1})
    directory.write_json("result.json", {"new": [0.5, None]})
    assert json.loads((directory.path / "result.json").read_text()) == {"new": [0.5, None]}
    assert names(directory) == ["result.json"]


def test_a_table_is_written_with_its_header(directory: RunDirectory) -> None:
    directory.write_csv("table.csv", ("rank", "expression"), [(1, "x, y"), (2, "x * y")])
    assert (directory.path / "table.csv").read_text() == 'rank,expression\n1,"x, y"\n2,x * y\n'


def test_lines_are_appended(directory: RunDirectory) -> None:
    for generation in (1, 2):
        directory.append_line("generations.jsonl", {"generation": generation, "best_expression": "x / y"})
    lines = (directory.path / "generations.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"generation": generation, "best_expression": "x / y"} for generation in (1, 2)
    ]


def test_a_disk_that_is_nearly_full_is_said_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5 * 2**20))
    with pytest.raises(RunDirectoryError, match="has 5 MB left; expected 64 MB: make room"):
        RunDirectory.create(tmp_path / "run", "compare")


def test_a_folder_that_was_released_can_be_taken_again(directory: RunDirectory) -> None:
    directory.write_json("config.json", {})
    directory.release()
    (directory.path / ".unfinished-1234-result.json").write_text("half of")
    again = RunDirectory.reopen(directory.path)
    assert sorted(path.name for path in again.path.iterdir()) == [".holder.json", ".lock", "config.json"]


def test_a_folder_that_is_not_released_cannot(directory: RunDirectory) -> None:
    directory.write_json("config.json", {})
    with pytest.raises(RunDirectoryError, match=rf"is in use by process {os.getpid()} on "):
        RunDirectory.reopen(directory.path)
    (directory.path / ".holder.json").write_text("[" * 100_000)
    with pytest.raises(RunDirectoryError, match="is in use by another process"):
        RunDirectory.reopen(directory.path)


def test_a_default_folder_whose_parent_leads_nowhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").symlink_to("gone")
    with pytest.raises(RunDirectoryError, match="Cannot write runs: File exists"):
        RunDirectory.create(None, "compare")


def test_a_new_run_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".holder.json").symlink_to(tmp_path / "mine")
    with pytest.raises(RunDirectoryError, match=r"\.holder\.json is a link, a pipe or a device"):
        RunDirectory.create(tmp_path / "run", "compare")
    assert not (tmp_path / "mine").exists()
