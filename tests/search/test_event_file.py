"""The event file of a run; what a whole run writes is in test_shape_command."""

import errno
import logging
import sys
from pathlib import Path

import pytest

from glojax.errors import ConfigurationError
from glojax.search.event_file import EventFile
from tests.search.event_files import events, scalars


def test_known_scalars_are_in_the_file_at_once(tmp_path: Path) -> None:
    with EventFile(tmp_path / "new" / "folder") as file:
        file.add("discovery", 1, best_fitness=0.75, median_fitness=0.5)
        file.add("discovery", 2, best_fitness=None, median_fitness=0.25)
        found = scalars(tmp_path / "new" / "folder")
    assert found == {"discovery/best_fitness": [(1, 0.75)], "discovery/median_fitness": [(1, 0.5), (2, 0.25)]}


def test_it_hides_what_the_run_wrote_before_it_was_interrupted(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.add("discovery", 1, best_fitness=0.5)
    version, start, first = events(tmp_path)
    assert (version.file_version, first.step) == ("brain.Event:2", 1)
    assert (start.session_log.status, start.step) == (start.session_log.START, 0)


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with EventFile(None) as file:
        file.add("discovery", 1, best_fitness=0.5)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(ConfigurationError, match=r"^--tensorboard needs .*: pip install 'glojax\[tensorboard\]'$"):
        EventFile(tmp_path / "events")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"^--tensorboard is \S*file/in, which cannot be written .*give another"
    ):
        EventFile(tmp_path / "file" / "in")


def test_a_run_outlives_its_event_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with EventFile(tmp_path) as file, caplog.at_level(logging.WARNING):
        file.add("discovery", 1, best_fitness=0.5)
        with monkeypatch.context() as patch:
            patch.setattr("tensorboardX.record_writer.RecordWriter.write", lambda writer, data: fail(data))
            file.add("discovery", 2, best_fitness=0.5)
        file.add("discovery", 3, best_fitness=0.5)
    (message,) = caplog.messages
    assert message.endswith("can no longer be written (No space left on device); the run goes on without it.")
    assert scalars(tmp_path) == {"discovery/best_fitness": [(1, 0.5)]}
