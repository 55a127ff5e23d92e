"""The folder of a run that a stranger has forged, with right checksums."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glojax.datasets import DatasetSource
from glojax.evaluation import platform
from glojax.search.__main__ import main
from glojax.search.config_file import run_config, sealed
from glojax.search.options import RunOptions
from glojax.search.run_directory import _OWN

Complaint = Callable[[], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run that has only begun."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(run_config("run", RunOptions(), {}, ["cpu 0"], platform())))
    return folder


@pytest.fixture
def complaint(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complaint:
    """Resumes the run, which must be refused before its data are loaded, and gives the one line of complaint."""

    def load(self: object) -> None:
        raise AssertionError("the run was not refused in time")

    monkeypatch.setattr(DatasetSource, "load", load)

    def resume() -> str:
        assert main(["resume", str(folder)]) == 2
        errors = capsys.readouterr().err
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1
        return errors

    return resume


@pytest.mark.parametrize("name", [name for name in _OWN if name != "config.json"])
@pytest.mark.parametrize("kind", ["symbolic", "hard", "pipe", "sparse", "folder"])
def test_no_file_of_a_run_is_a_link_a_pipe_or_too_large(
    folder: Path, complaint: Complaint, name: str, kind: str
) -> None:
    victim = folder.parent / "victim"
    victim.write_text("mine")
    if kind == "sparse":
        (folder / name).touch()
        os.truncate(folder / name, 10 * 2**30)
    elif kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "folder":
        (folder / name).mkdir()
    elif kind == "hard":
        (folder / name).hardlink_to(victim)
    else:
        (folder / name).symlink_to(victim)
    what = {"sparse": "has 10,737,418,240 bytes", "folder": "is a folder"}.get(kind, "is a link, a pipe or a device")
    assert f"{name} {what}" in complaint()
    assert victim.read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == {"config.json", name}


@pytest.mark.parametrize("kind", ["symbolic", "pipe", "sparse"])
def test_a_configuration_is_a_regular_file_of_some_size(folder: Path, complaint: Complaint, kind: str) -> None:
    path = folder / "config.json"
    if kind == "sparse":
        os.truncate(path, 10 * 2**30)
    else:
        path.rename(folder.parent / "config.json")
        os.mkfifo(path) if kind == "pipe" else path.symlink_to(folder.parent / "config.json")
    what = "has 10,737,418,240 bytes" if kind == "sparse" else "is a link, a pipe or a device"
    assert f"config.json {what}" in complaint()


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("command", [], "its field 'command' is no str"),
        ("command", "x", "has the command 'x'; expected one of run, discover, tune, compare"),
        ("devices", {}, "its field 'devices' is no list"),
        ("versions", None, "its field 'versions' is no dict"),
        ("changes", 1, "its field 'changes' is no list"),
        ("options", [], "its field 'options' is no dict"),
        ("options.genetic", [], "holds options that this command does not take"),
        ("options.tuning", [[]], "holds options that this command does not take"),
        ("resolved", {"deep": json.loads("[" * 700 + "]" * 700)}, "it is nested too deep"),
        ("options.seed", 10**400, "config.json cannot be read (an integer of 401 digits)"),
        ("options.training.num_steps", [], "num_steps is []"),
        ("options.training.optimizer", {"name": [], "arguments": {}}, "error: "),
        ("options.training.optimizer", {"name": "sgd", "arguments": []}, "error: "),
        ("options.training.splits", [[]], "error: "),
        ("options.training.class_reduction", [], "error: "),
        ("options.training.metric", [], "error: "),
        ("options.network", [], "holds options that this command does not take"),
        ("options.initial_losses", [1], "holds options that this command does not take"),
        ("options.data_dir", {}, "holds options that this command does not take"),
    ],
)
def test_a_configuration_of_other_types_is_refused(
    folder: Path, complaint: Complaint, path: str, value: Any, expected: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    *parents, name = path.split(".")
    table = config
    for parent in parents:
        table = table[parent]
    table[name] = value
    (folder / "config.json").write_text(json.dumps(sealed(config)))
    assert expected in complaint()


@pytest.mark.parametrize(
    "holder",
    [{"pid": "1", "host": "here", "since": "now"}, {"pid": 1, "host": "a\x1b[2J", "since": "now"}, {"pid": 1}, 7],
)
def test_a_holder_that_is_none_is_not_named(folder: Path, complaint: Complaint, holder: object) -> None:
    from filelock import FileLock

    with FileLock(folder / ".lock"):
        (folder / ".holder.json").write_text(json.dumps(holder))
        assert "is in use by another process" in complaint()
