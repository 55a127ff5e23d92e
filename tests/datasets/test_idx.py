import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glojax.datasets import reading
from glojax.datasets.idx import read_idx
from glojax.errors import DatasetError

IdxWriter = Callable[[NDArray[Any]], bytes]
SMALL = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def assert_rejected(path: Path, *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_idx(path)

    message = str(caught.value)
    assert message.startswith(str(path))
    assert "expected" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize("name", ["small", "small.gz"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (24,), (2, 12), (2, 3, 4), (2, 3, 2, 2), (0,), (3, 0)])
def test_round_trip(tmp_path: Path, to_idx: IdxWriter, name: str, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.resize(np.arange(24) * 5 - 7, shape).astype(dtype)
    path = tmp_path / name
    path.write_bytes(gzip.compress(to_idx(array)) if name.endswith(".gz") else to_idx(array))

    read = read_idx(path)

    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, array, strict=True)


def test_layout_is_row_major_and_big_endian(tmp_path: Path) -> None:
    """Written out by hand: two rows of three 16-bit integers."""
    path = tmp_path / "hand"
    path.write_bytes(bytes.fromhex("0000 0b02 00000002 00000003 0001 0002 0003 0100 ffff 8000"))

    assert read_idx(path).tolist() == [[1, 2, 3], [256, -1, -32768]]


@pytest.mark.parametrize("name", ["small", "small.gz"])
def test_rejects_every_truncation(tmp_path: Path, to_idx: IdxWriter, name: str) -> None:
    path = tmp_path / name
    whole = gzip.compress(to_idx(SMALL)) if name.endswith(".gz") else to_idx(SMALL)

    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert_rejected(path)


def test_names_what_a_truncated_file_lacks(tmp_path: Path, to_idx: IdxWriter) -> None:
    plain, zipped = tmp_path / "plain", tmp_path / "zipped.gz"
    plain.write_bytes(to_idx(SMALL)[:30])
    zipped.write_bytes(gzip.compress(to_idx(SMALL))[:30])

    assert_rejected(plain, "holds 30 bytes; expected 40 for an array of shape (2, 3, 4)", "download")
    assert_rejected(zipped, "is cut off after 30 bytes; expected a whole gzip file", "download")


def test_rejects_surplus_bytes(tmp_path: Path, to_idx: IdxWriter) -> None:
    path = tmp_path / "long"
    path.write_bytes(to_idx(SMALL) + b"\0")

    assert_rejected(path, "holds 41 bytes; expected 40")


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        (b"", "(none)"),
        (b"<!DOCTYPE html>", "3c 21 44 4f"),
        (b"\0\0\x07\x01\0\0\0\0", "00 00 07 01"),
        (b"\0\1\x08\x01\0\0\0\0", "00 01 08 01"),
        (gzip.compress(b"not unpacked", mtime=0), "1f 8b 08 00"),
    ],
)
def test_rejects_a_wrong_magic_number(tmp_path: Path, contents: bytes, found: str) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(contents)

    assert_rejected(path, f"begins with the bytes {found}", "IDX magic number")


def test_rejects_plain_bytes_named_gz(tmp_path: Path, to_idx: IdxWriter) -> None:
    path = tmp_path / "plain.gz"
    path.write_bytes(to_idx(SMALL))

    assert_rejected(path, "cannot be unpacked (Not a gzipped file", "drop .gz from its name")


def test_rejects_any_flipped_byte_of_a_gzip_files_data(tmp_path: Path, to_idx: IdxWriter) -> None:
    path = tmp_path / "flipped.gz"
    whole = gzip.compress(to_idx(SMALL))

    for index in range(10, len(whole)):  # the first 10 bytes hold the time of writing, which may be any time
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 0xFF]) + whole[index + 1 :])
        assert_rejected(path)


@pytest.mark.parametrize("header", [b"\xff" + bytes(4 * 255), b"\x03" + bytes(4) + b"\xff" * 8])
def test_rejects_extents_that_make_no_array(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "extents"
    path.write_bytes(b"\0\0\x08" + header)

    assert_rejected(path, "extents that make no array")


def test_does_not_allocate_what_a_damaged_header_promises(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12)

    assert_rejected(path, f"expected {16 + (2**32 - 1) ** 3} for an array")


def test_rejects_a_missing_file_a_folder_and_an_unreadable_file(tmp_path: Path) -> None:
    assert_rejected(tmp_path / "missing", "cannot be read (No such file or directory)")
    assert_rejected(tmp_path, "cannot be read (Is a directory)")

    locked = tmp_path / "locked"
    locked.touch(mode=0)
    if not os.access(locked, os.R_OK):  # an administrator may read it all the same
        assert_rejected(locked, "cannot be read (Permission denied)")


def test_does_not_unpack_what_no_original_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_UNPACKED", 100_000)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(10**8)))
    tracemalloc.start()
    assert_rejected(path, "cannot be unpacked (it unpacks to more than 100,000 bytes); expected")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


def test_rejects_a_pipe_and_a_sparse_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert_rejected(tmp_path / "pipe", "is a pipe or a device")
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 10 * 2**30)
    assert_rejected(tmp_path / "sparse", "has 10,737,418,240 bytes; expected at most 268,435,456")
