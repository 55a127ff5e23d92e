"""Records of tensorflow-datasets, array_record files of tf.Example, read without its builders and TensorFlow."""

import io
import os
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glojax.errors import DatasetError
from glojax.regular_files import open_given

_RECORDS_PER_READ: Final = 1_000

#: Pillow's names of pictures with one to four channels of 8 bits.
_MODES: Final = ("L", "LA", "RGB", "RGBA")


@dataclass(frozen=True)
class Picture:
    """A feature of picture files; an extent of its shape (height, width, channels) is None where it is not known."""

    shape: tuple[int | None, ...]
    formats: tuple[str, ...] = ("PNG",)

    def decode(self, feature: Any) -> NDArray[Any]:
        """Decode a picture; one of another size is not unpacked, as it might fill the memory."""
        from PIL import Image

        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            picture = Image.open(io.BytesIO(feature.bytes_list.value[0]), formats=self.formats)
        if picture.mode not in _MODES:
            raise ValueError(f"a picture of mode {picture.mode}")
        if any(expected not in (None, found) for expected, found in zip(self.shape, picture.size[::-1], strict=False)):
            raise ValueError(f"a picture of {picture.width} x {picture.height} pixels")
        return np.asarray(picture).reshape(picture.height, picture.width, -1)


@dataclass(frozen=True)
class Numbers:
    """A feature of numbers of one shape, as they are or, where `encoding` says so, as bytes or packed by zlib."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    encoding: str = "none"

    def decode(self, feature: Any) -> NDArray[Any]:
        """Decode an array."""
        if self.encoding == "none":
            values = (feature.float_list if self.dtype.kind == "f" else feature.int64_list).value
            return np.array(values, self.dtype).reshape(self.shape)
        data = feature.bytes_list.value[0]
        if self.encoding == "zlib":
            size = self.dtype.itemsize * int(np.prod(self.shape))
            data = zlib.decompressobj().decompress(data, size + 1)
        return np.frombuffer(data, self.dtype).reshape(self.shape)


Feature: TypeAlias = Picture | Numbers


def read_records(
    folder: Path, name: str, split: str, features: Mapping[str, Feature], max_records: int, max_bytes: int | None = None
) -> dict[str, NDArray[Any]]:
    """Read some features of all records of a split, [N, ...], in the order of the files.

    Raises:
        Exception: The files are damaged, hold more records or bytes, or features of other kinds. The libraries that
            read records and pictures raise errors of many types.
    """
    from array_record.python.array_record_module import ArrayRecordReader
    from tensorflow_datasets.proto import tf_example_pb2

    pattern = f"{name}-{split}.array_record-?????-of-?????"
    arrays: dict[str, list[NDArray[Any]]] = {key: [] for key in features}
    num_records = num_bytes = 0
    for path in sorted(folder.glob(pattern)):
        os.close(open_given(path, os.O_RDONLY))  # a pipe would block the reader
        reader = ArrayRecordReader(os.fspath(path))
        num_records += reader.num_records()
        if num_records > max_records:
            raise ValueError(f"more than {max_records:,} records in {pattern}")
        for start in range(0, reader.num_records(), _RECORDS_PER_READ):
            for record in reader.read(start, min(start + _RECORDS_PER_READ, reader.num_records())):
                found = tf_example_pb2.Example.FromString(record).features.feature
                for key, feature in features.items():
                    array = feature.decode(found[key])
                    if arrays[key] and array.shape != arrays[key][0].shape:
                        raise DatasetError(
                            f"{folder} holds {key} of shape {array.shape} and of shape {arrays[key][0].shape}; "
                            "expected one shape: prepare it with pictures of one size."
                        )
                    num_bytes += array.nbytes
                    if max_bytes is not None and num_bytes > max_bytes:
                        raise ValueError(f"it unpacks to more than {max_bytes:,} bytes")
                    arrays[key].append(array)
    if not num_records:
        raise FileNotFoundError(f"no records in {pattern}")
    return {key: np.stack(values) for key, values in arrays.items()}
