"""Nothing that is read from a file gives a terminal commands."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.logging import RichHandler
from rich.table import Table

from glojax import startup
from glojax.datasets.__main__ import main as datasets
from glojax.errors import printable
from glojax.search.__main__ import main
from glojax.search.config_file import FORMAT, sealed
from glojax.terminal import open_console, print_text

#: Sets the title, clears the screen (in two ways), begins the line anew, and reverses it.
HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b2J\r\u202ename"
SHOWN = r"\x1b]0;title\x07\x1b[2J\x9b2J\r\u202ename"


def test_text_stays_as_it_is() -> None:
    assert printable("Größe: 5 µm\n日本語 🙂") == "Größe: 5 µm\n日本語 🙂"
    assert printable("a\udc80b\u2028\t") == "a\\udc80b\\u2028\\t"


def test_a_console_escapes_what_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    console = open_console()
    print_text(HOSTILE, console)
    table = Table(title="\x1b[2J")
    table.add_row("\x1b[31m")
    console.print(table)
    RichHandler(console=console).emit(logging.makeLogRecord({"msg": "\x1b[32m"}))
    out = capsys.readouterr().out
    assert printable(out) == out
    # rich leaves some control characters out.
    for shown in (SHOWN.replace(r"\x07", "").replace(r"\r", ""), r" \x1b[2J ", r"\x1b[31m", r"\x1b[32m"):
        assert shown in out


def test_a_console_still_has_styles(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    open_console().print("[bold]a[/bold]\x1b[2J", highlight=False)
    assert capsys.readouterr().out == "\x1b[1ma\x1b[0m\\x1b[2J\n"


#: What each `config.json` has.
CONFIG = {"format": FORMAT, "command": "compare", "started": "", "devices": []} | {
    name: dict[str, str]() for name in ("options", "resolved", "platform", "versions")
}


@pytest.mark.parametrize(
    "config",
    [
        {"format": HOSTILE},
        sealed(CONFIG | {"command": HOSTILE}),
        sealed(CONFIG | {"options": {HOSTILE: 1}}),
        sealed(CONFIG | {"options": {"losses": ["baikal"], "network": HOSTILE}}),
        sealed(CONFIG | {"options": {"losses": ["baikal"], "training": {HOSTILE: 1}}}),
    ],
    ids=["format", "command", "option", "value", "training"],
)
def test_a_run_directory_gives_no_commands(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert main(["resume", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    assert printable(errors) == errors
    assert r"\x1b]0;title" in errors


def test_a_data_set_gives_no_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    images, labels = np.zeros((30, 4, 4), np.uint8), np.arange(30) % 3
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(f"{HOSTILE}.npz", **arrays)  # type: ignore[arg-type]  # NumPy takes the arrays for its flag
    assert datasets(["describe", f"{HOSTILE}.npz", "--figure", "figure.png"]) == 0
    out = capsys.readouterr().out
    assert printable(out) == out
    assert r"origin       file \x1b]0;title\x1b[2J" in out
    np.savez("arrays.npz", **arrays, **{f"x_{HOSTILE}": labels})  # type: ignore[arg-type]
    assert datasets(["describe", "arrays.npz"]) == 2
    assert r"\x1b]0;title" in capsys.readouterr().err


@pytest.fixture
def failure() -> Iterator[RuntimeError]:
    try:
        raise RuntimeError(HOSTILE)
    except RuntimeError as error:
        yield error


def test_a_bug_gives_no_commands(failure: RuntimeError, capsys: pytest.CaptureFixture[str]) -> None:
    startup._report_bug(RuntimeError, failure, failure.__traceback__)
    errors = capsys.readouterr().err
    assert errors.startswith("Traceback (most recent call last):\n")
    assert errors.endswith(f"RuntimeError: {SHOWN}\n")
