"""A command outlives the readers of its output, and does without streams that are closed or cannot be written."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glojax import standard_streams
from tests.search.runs import environment

#: Its exit code is 1 if the streams have failed. It does without the package, whose import takes a second.
PROGRAM = f"""
import os, runpy, sys
streams = runpy.run_path({standard_streams.__file__!r})
streams["keep_streams"]()
with open("file", "w") as file:
    for number in range(2):
        print("output", flush=True)
        print("errors \\u221a", file=sys.stderr)
sys.exit(streams["streams_failed"]())
"""

OUTPUT, ERRORS = 2 * "output\n", 2 * "errors √\n"
FULL = "error: Cannot write standard output: No space left on device; make room. The command goes on without it.\n"


def run_program(folder: Path, redirection: str = "", encoding: str = "utf-8") -> tuple[int, str, str]:
    """Run the program by a shell that redirects its streams; return its exit code, output and errors."""
    command = ["/bin/sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, PROGRAM]
    settings = os.environ | {"PYTHONIOENCODING": encoding}
    ended = subprocess.run(command, cwd=folder, env=settings, capture_output=True, check=False)
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


@pytest.mark.parametrize(
    ("redirection", "output", "errors"),
    [("", OUTPUT, ERRORS), (">&-", "", ERRORS), ("2>&-", OUTPUT, ""), ("<&- >&- 2>&-", "", "")],
)
def test_a_closed_stream_takes_text_that_goes_into_no_file(
    redirection: str, output: str, errors: str, tmp_path: Path
) -> None:
    assert run_program(tmp_path, redirection) == (0, output, errors)
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("connect", [os.pipe, os.openpty])
def test_a_reader_that_has_left_is_no_error(connect: Callable[[], tuple[int, int]], tmp_path: Path) -> None:
    reader, writer = connect()
    os.close(reader)
    with open(writer, "w") as pipe:
        command = [sys.executable, "-c", PROGRAM]
        ended = subprocess.run(command, cwd=tmp_path, stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr.decode()) == (0, ERRORS)


def test_a_full_disk_is_told_once(tmp_path: Path) -> None:
    assert run_program(tmp_path, ">/dev/full") == (1, "", FULL + ERRORS)
    assert run_program(tmp_path, ">/dev/full 2>&1") == (1, "", "")


def test_what_a_stream_cannot_encode_is_escaped(tmp_path: Path) -> None:
    assert run_program(tmp_path, encoding="ascii") == (0, OUTPUT, 2 * "errors \\u221a\n")


def test_a_run_whose_output_cannot_be_written_is_whole(tmp_path: Path) -> None:
    budget = ("--losses", "cross_entropy", "--seeds", "1", "--steps", "1", "--network", "SmallMLP", "--devices", "1")
    command = [sys.executable, "-m", "glojax.search", "compare", *budget, "--run-dir", "run"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (ended.returncode, ended.stderr.decode()) == (1, FULL)
    assert len(json.loads((tmp_path / "run" / "result.json").read_text())["comparison"]) == 1
