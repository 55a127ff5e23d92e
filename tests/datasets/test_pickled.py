"""Pickles that were made for an attack; the official form is read in `test_cifar.py`."""

import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glojax.datasets.pickled import unpickled
from tests.datasets.files import python2_pickle

WHOLE = python2_pickle({"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [3, 300], "name": "one"})


def test_arrays_lists_and_texts_as_python_2_wrote_them() -> None:
    pixels = np.arange(600, dtype=np.uint8).reshape(2, 300)
    big_endian = np.array([1.5, -2], ">f4")

    found = unpickled(
        python2_pickle({b"data": pixels, b"columns": pixels.T, b"x": big_endian, b"labels": [3, 9], b"n": b"a"})
    )

    assert found["data"].dtype == np.uint8
    assert (found["data"] == pixels).all()
    assert (found["columns"] == pixels.T).all()
    assert found["x"].tolist() == [1.5, -2]
    assert (found["labels"], found["n"]) == ([3, 9], b"a")


class Calling:
    """What unpickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize(
    "function",
    [os.system, eval, __import__, getattr, np.load, np.ndarray, np.dtype, np.frombuffer, pickle.loads],
    ids=lambda function: function.__name__,
)
def test_nothing_is_called(tmp_path: Path, function: Callable[..., Any], protocol: int) -> None:
    harm = f"touch {tmp_path / 'harm'}" if function is os.system else f"open({str(tmp_path / 'harm')!r}, 'w')"
    with pytest.raises(ValueError, match=r"it asks for|an array of something else|it holds _ElementType"):
        unpickled(pickle.dumps({b"data": Calling(function, harm)}, protocol))

    assert not (tmp_path / "harm").exists()


def _replaced(old: bytes, new: bytes) -> bytes:
    data = python2_pickle({b"data": np.zeros(5, np.uint8)})
    assert old in data
    return data.replace(old, new)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "it is damaged|pickle exhausted"),
        (python2_pickle({b"data": np.zeros(9, np.uint8)})[:-20], "it is damaged|pickle|expected"),
        (python2_pickle([1, 2]), "it holds no dictionary, but list"),
        (_replaced(b"cnumpy\nndarray\n", b"cposix\nsystem\n"), "it asks for posix system"),
        (_replaced(b"cnumpy\nndarray\n", b"cnumpy\nmemmap\n"), "it asks for numpy memmap"),
        (_replaced(b"U\x02u1", b"U\x02O8"), "an array of something else than numbers"),
        (_replaced(b"U\x02u1", b"U\x02u8"), r"5 bytes for an array of shape \(5,\)"),
        (pickle.dumps({"data": np.array([None, print])}, 2), "it asks for"),
        (pickle.dumps({"data": {1, 2}}, 2), "it asks for"),
        (b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b".", "it names a place far away"),
        (b"\x80\x02}N" + b"\x85" * 100_000 + b"Ns.", "it has more instructions than a few arrays and lists"),
        (b"\x80\x02}cnumpy\nndarray\n}U\x01aK\x01sb.", "it is damaged"),
        (b"\x80\x02Pmodule\n.", "it asks for"),
        (b"\x80\x02\x82\x01.", "it asks for"),
    ],
    ids=[
        "empty",
        "cut",
        "list",
        "system",
        "memmap",
        "objects",
        "size",
        "print",
        "set",
        "memo",
        "nested",
        "class",
        "persistent",
        "extension",
    ],
)
def test_anything_else_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        unpickled(data)


@given(st.integers(0, len(WHOLE)), st.integers(0, 9), st.binary(max_size=9))
def test_a_damaged_pickle_is_read_or_refused(start: int, length: int, new: bytes) -> None:
    try:
        found = unpickled(WHOLE[:start] + new + WHOLE[start + length :])
    except ValueError:
        return
    assert all(isinstance(value, np.ndarray | list | bytes | int) for value in found.values())
