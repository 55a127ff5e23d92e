"""IDX, the file format of MNIST: a magic number, the shape, then the array itself, all big-endian."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.errors import DatasetError

#: Element type by the third byte of the magic number.
_DTYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_REPAIR = "download the file again"


def read_idx(path: Path) -> NDArray[Any]:
    """Read one array from an IDX file, gzipped if its name ends in `.gz`.

    Returns:
        The array, read-only, in the machine's byte order, with the shape and the element type of the file.

    Raises:
        DatasetError: The file cannot be read, is not gzip although its name ends in `.gz`, does not begin with an IDX
            magic number, or is longer or shorter than its header says.

    Source: LeCun, Cortes and Burges, The MNIST database (1998), "File formats".
    """
    data = _read_bytes(path)
    magic = data[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DatasetError(
            f"{path} begins with the bytes {magic.hex(' ') or '(none)'}; expected an IDX magic number such as "
            f"00 00 08 03: {_REPAIR}, and name it .gz exactly if it is gzipped."
        )
    dtype, num_axes = np.dtype(_DTYPES[magic[2]]), magic[3]
    header_size = 4 + 4 * num_axes
    if len(data) < header_size:
        raise DatasetError(
            f"{path} ends within its header, after {len(data)} bytes; expected {header_size} bytes of it: {_REPAIR}."
        )
    shape = tuple(int(extent) for extent in np.frombuffer(data, ">u4", count=num_axes, offset=4))
    expected_size = header_size + math.prod(shape) * dtype.itemsize
    if len(data) != expected_size:
        raise DatasetError(
            f"{path} holds {len(data)} bytes; expected {expected_size} for an array of shape {shape}, as its header "
            f"says: {_REPAIR}."
        )
    try:
        array = np.frombuffer(data, dtype, offset=header_size).reshape(shape)
    except ValueError as error:  # NumPy limits the number and the product of the extents
        raise DatasetError(
            f"{path} declares {num_axes} extents that make no array ({error}); expected a valid shape: {_REPAIR}."
        ) from error
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_bytes(path: Path) -> bytes:
    """Return the contents of a file, unpacked if its name ends in `.gz`."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except EOFError:
        raise DatasetError(
            f"{path} is cut off after {len(data)} bytes; expected a whole gzip file: {_REPAIR}."
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(
            f"{path} cannot be unpacked ({error}); expected a gzip file: {_REPAIR}, or drop .gz from its name if it is "
            "not compressed."
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}); expected a readable file: check the path and its permissions."
        ) from error
