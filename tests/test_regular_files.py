import os
from collections.abc import Callable
from pathlib import Path

import pytest

from glojax.errors import UnfitFileError
from glojax.files import append, truncate
from glojax.regular_files import (
    MAX_LINE,
    open_given,
    parse_json,
    read_file,
    read_json,
    read_lines,
    require_own,
    require_readable,
)
from tests.plants import PLANTS

plants = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "victim").write_text("{}\n")
    return tmp_path / "victim"


@plants
@pytest.mark.parametrize(
    "opening",
    [
        lambda path: append(path, b"more", durable=False),
        lambda path: append(path, b"more", durable=True),
        lambda path: truncate(path, 0),
        lambda path: read_file(path, 100),
        lambda path: list(read_lines(path)),
        read_json,
        require_own,
    ],
    ids=["append", "append durably", "truncate", "read_file", "read_lines", "read_json", "require_own"],
)
def test_what_is_no_regular_file_of_its_own_is_not_opened(
    tmp_path: Path, victim: Path, plant: Callable[[Path, Path], None], opening: Callable[[Path], object]
) -> None:
    plant(tmp_path / "own", victim)
    with pytest.raises(UnfitFileError, match=r"own is a link, a pipe or a device; expected a regular file"):
        opening(tmp_path / "own")
    assert victim.read_text() == "{}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"own", "victim"}


def test_a_file_that_becomes_a_link_is_not_opened_either(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").symlink_to(victim)
    monkeypatch.setattr("glojax.regular_files.require_own", lambda path: None)
    with pytest.raises(UnfitFileError):
        append(tmp_path / "own", b"more", durable=False)
    (tmp_path / "own").unlink()
    (tmp_path / "own").hardlink_to(victim)
    with pytest.raises(UnfitFileError):
        append(tmp_path / "own", b"more", durable=False)
    assert victim.read_text() == "{}\n"


def test_a_given_file_may_be_a_link_but_no_pipe(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "given").symlink_to(victim)
    assert read_file(tmp_path / "given", 100, is_own=False) == b"{}\n"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnfitFileError), open(tmp_path / "pipe", "rb", opener=open_given):
        pass


def test_a_sparse_file_is_refused_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "own").touch()
    os.truncate(tmp_path / "own", 10 * 2**30)
    with pytest.raises(UnfitFileError, match=r"has 10,737,418,240 bytes; expected at most 4,294,967,296"):
        require_readable(tmp_path / "own")
    os.truncate(tmp_path / "own", 2**25)
    with pytest.raises(UnfitFileError, match=r"has 33,554,432 bytes; expected at most 16,777,216"):
        read_json(tmp_path / "own")
    os.truncate(tmp_path / "own", 2**33)
    with pytest.raises(UnfitFileError, match=r"expected at most 4,294,967,296"):
        next(read_lines(tmp_path / "own"))


def test_a_log_may_grow_beyond_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "own").touch()
    with open(tmp_path / "own", "r+b") as file:
        file.seek(2**33)
        file.write(b"\n")
    append(tmp_path / "own", b"more\n", durable=False)
    with open(tmp_path / "own", "rb") as file:
        file.seek(2**33)
        assert file.read() == b"\nmore\n"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(UnfitFileError, match="own is a folder; expected a file of that name, or none: move it away"):
        require_own(tmp_path / "own")


def test_json_has_some_levels() -> None:
    assert parse_json("[" * 60 + "]" * 60)
    with pytest.raises(ValueError, match="it is nested too deep"):
        parse_json("[" * 70 + "]" * 70)


def test_a_long_line_comes_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"1\n" + b"2" * MAX_LINE + b"3\n")
    assert [len(line) for line in read_lines(tmp_path / "own")] == [2, MAX_LINE, 2]


@pytest.mark.parametrize(
    "text",
    ["9223372036854775808", "-9223372036854775809", "1" + "0" * 400, "1" + "0" * 5000, "[" * 100_000, "NaN", "{"],
)
def test_a_json_text_that_would_do_harm_later_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_a_json_text_of_ours_is_read() -> None:
    assert parse_json('{"a": [9223372036854775807, -9223372036854775808, Infinity, 0.5, null]}') == {
        "a": [2**63 - 1, -(2**63), float("inf"), 0.5, None]
    }


def test_an_object_is_expected(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("[]")
    with pytest.raises(ValueError, match="no JSON object"):
        read_json(tmp_path / "own")
