"""Pickled NumPy arrays, read without NumPy's or anybody else's code for pickles: the form of CIFAR's python version.

A pickle is a program. Before it runs, its instructions are looked through, and those that CIFAR's files do not have are
refused. The three names of NumPy that remain stand for classes of this file, which only remember what they are given.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Instructions for dictionaries, lists, tuples, byte strings, integers and objects, as Python 2 wrote them.
_INSTRUCTIONS: Final = frozenset(
    [
        "PROTO",
        "STOP",
        "MARK",
        "EMPTY_DICT",
        "EMPTY_LIST",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "SETITEM",
        "SETITEMS",
        "APPEND",
        "APPENDS",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "SHORT_BINSTRING",
        "BINSTRING",
        "SHORT_BINBYTES",
        "BINBYTES",
        "BINUNICODE",
        "GLOBAL",
        "REDUCE",
        "BUILD",
    ]
)

#: Greatest number of tuples, which bounds their nesting: an array has four. And of all instructions: CIFAR-100's
#: training file has some 200,000.
_MAX_TUPLES, _MAX_INSTRUCTIONS = 1_000, 2_000_000

_NUMBERS: Final = re.compile(rb"[biuf][1248]")


class _ElementType:
    """What `numpy.dtype` was called with, and its byte order."""

    def __init__(self, code: bytes | str, *_: object):
        self.code = code if isinstance(code, bytes) else code.encode()
        self.order = b"|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if isinstance(state[1], bytes) else state[1].encode()


class _Array:
    """What an array of NumPy is restored from."""

    def __init__(self, *_: object):
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def restored(self) -> NDArray[Any]:
        """Return the array; raise ValueError unless its numbers are simple and as many as its shape says."""
        _, shape, kind, is_fortran, data = self.state or (None, (), None, False, None)
        if not isinstance(kind, _ElementType) or not isinstance(data, bytes) or not _NUMBERS.fullmatch(kind.code):
            raise ValueError("an array of something else than numbers")
        dtype = np.dtype({b"|": "=", b"<": "<", b">": ">"}[kind.order] + kind.code.decode())
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"{len(data)} bytes for an array of shape {shape}")
        return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


_STAND_INS: Final[Mapping[str, type[Any]]] = {
    "numpy.core.multiarray _reconstruct": _Array,
    "numpy._core.multiarray _reconstruct": _Array,
    "numpy ndarray": _Array,
    "numpy dtype": _ElementType,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[Any]:
        return _STAND_INS[f"{module} {name}"]


def unpickled(data: bytes) -> dict[str, Any]:
    """Return the pickled dictionary, by text keys; its values are arrays, byte strings, integers, or lists.

    Raises:
        ValueError: The pickle asks for anything else, or is damaged.
    """
    num_tuples = num_instructions = 0
    # pickletools and pickle raise errors of many types.
    try:
        for instruction, argument, _ in pickletools.genops(data):
            num_instructions += 1
            num_tuples += instruction.name.startswith("TUPLE")
            if instruction.name not in _INSTRUCTIONS or (instruction.name == "GLOBAL" and argument not in _STAND_INS):
                raise ValueError(f"it asks for {argument or instruction.name}")
            if num_tuples > _MAX_TUPLES or num_instructions > _MAX_INSTRUCTIONS:
                raise ValueError("it has more instructions than a few arrays and lists")
            # Python makes room for all places up to the one that is named.
            if instruction.name == "LONG_BINPUT" and (argument or 0) > num_instructions:
                raise ValueError("it names a place far away")
        content = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        if not isinstance(content, dict):
            raise ValueError(f"it holds no dictionary, but {type(content).__name__}")
        found = {key.decode(): each.restored() if isinstance(each, _Array) else each for key, each in content.items()}
        if strange := [each for each in found.values() if not isinstance(each, np.ndarray | list | bytes | int)]:
            raise ValueError(f"it holds {type(strange[0]).__name__}")
        return found
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"it is damaged: {error}") from error
