"""IDX, the file format of MNIST: a magic number, the shape, then the array itself, all big-endian."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.reading import explained, read_file
from glojax.errors import DatasetError

#: Element type by the third byte of the magic number.
_DTYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_REPAIR = "download the file again"


def read_idx(path: Path) -> NDArray[Any]:
    """Read one read-only array, in the machine's byte order, from an IDX file, gzipped if its name ends in `.gz`.

    Source: LeCun, Cortes and Burges, The MNIST database (1998), "File formats".
    """
    data = read_file(path)
    if path.suffix == ".gz":
        data = _unpack(path, data)
    magic = data[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DatasetError(
            f"{path} begins with the bytes {magic.hex(' ') or '(none)'}; expected an IDX magic number such as "
            f"00 00 08 03: {_REPAIR}, and name it .gz exactly if it is gzipped."
        )
    dtype, num_axes = np.dtype(_DTYPES[magic[2]]), magic[3]
    header_size = 4 + 4 * num_axes
    # The file may end within its header. NumPy limits the number and the product of the extents.
    with explained(ValueError, f"{path} declares {num_axes} extents that make no array", f"a valid shape: {_REPAIR}"):
        shape = tuple(int(extent) for extent in np.frombuffer(data, ">u4", count=num_axes, offset=4))
        expected_size = header_size + math.prod(shape) * dtype.itemsize
        if len(data) != expected_size:
            raise DatasetError(
                f"{path} holds {len(data)} bytes; expected {expected_size} for an array of shape {shape}, as its "
                f"header says: {_REPAIR}."
            )
        array = np.frombuffer(data, dtype, offset=header_size).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _unpack(path: Path, data: bytes) -> bytes:
    advice = f"a gzip file: {_REPAIR}, or drop .gz from its name if it is not compressed"
    with explained((gzip.BadGzipFile, zlib.error), f"{path} cannot be unpacked", advice):
        try:
            return gzip.decompress(data)
        except EOFError:
            raise DatasetError(
                f"{path} is cut off after {len(data)} bytes; expected a whole gzip file: {_REPAIR}."
            ) from None
