import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

IdxWriter = Callable[[NDArray[Any]], bytes]
TYPE_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


@pytest.fixture(scope="session")
def to_idx() -> IdxWriter:
    """An array as the bytes of an IDX file."""

    def write(array: NDArray[Any]) -> bytes:
        code = TYPE_CODES[array.dtype.str[1:]]
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        return header + array.astype(array.dtype.newbyteorder(">")).tobytes()

    return write


@pytest.fixture(scope="session")
def blank_mnist(tmp_path_factory: pytest.TempPathFactory, to_idx: IdxWriter) -> Path:
    """A folder as MNIST's, with labels 0 to 9 in turn and black images, of which only image 1 of each file is white."""
    folder = tmp_path_factory.mktemp("mnist")
    for prefix, count in (("train", 60_000), ("t10k", 10_000)):
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(to_idx(np.arange(count).astype(np.uint8) % 10))
        with (folder / f"{prefix}-images-idx3-ubyte").open("wb") as file:
            file.write(struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + bytes(784) + b"\xff" * 784)
            file.truncate(16 + count * 784)  # the rest is a hole, which reads as zeros and takes no space
    return folder


@pytest.fixture
def mnist_folder(tmp_path: Path, blank_mnist: Path) -> Path:
    """The same as links in a folder of the test's own, in which it may replace files."""
    for file in blank_mnist.iterdir():
        (tmp_path / file.name).symlink_to(file)
    return tmp_path
