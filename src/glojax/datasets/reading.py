"""Reading of files and .tar.gz archives, with messages that help a user, and checksums."""

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Final

from numpy.lib.npyio import NpzFile

from glojax import regular_files
from glojax.errors import DatasetError

#: Greatest size of an original file, packed or not. The largest is CIFAR-10's archive: 170 MB, and 184 MB unpacked.
MAX_FILE: Final = 2**28

#: Greatest size to which one file unpacks. The largest is MNIST's training images: 47 MB.
MAX_UNPACKED: Final = 2**26

#: Greatest size of a file of a user's own, which has the size that it has.
MAX_GIVEN: Final = 2**32

#: How many times its own size a user's file may unpack to; `MAX_UNPACKED` is always allowed. Deflate takes zeros
#: to a thousandth, and pictures rarely to a tenth.
MAX_RATIO: Final = 200


@contextmanager
def explained(kinds: type[Exception] | tuple[type[Exception], ...], problem: str, expected: str) -> Iterator[None]:
    """Turn errors of the given kinds, other than DatasetErrors, into one-line DatasetErrors that name the problem."""
    try:
        yield
    except DatasetError:
        raise
    except kinds as error:
        lines = str(getattr(error, "strerror", None) or error).splitlines()
        raise DatasetError(
            f"{problem} ({lines[0] if lines else type(error).__name__}); expected {expected}."
        ) from error


def read_file(
    path: Path, expected: str = "a readable file: check the path and its permissions", max_bytes: int = MAX_FILE
) -> bytes:
    """Return the contents of a regular file of at most `max_bytes`."""
    with explained(OSError, f"{path} cannot be read", expected):
        return regular_files.read_file(path, max_bytes, is_own=False)


def gunzipped(data: bytes, max_bytes: int | None = None) -> bytes:
    """Return the contents of a gzip file; raise ValueError if they have more than `max_bytes`, or `MAX_UNPACKED`."""
    max_bytes = max_bytes or MAX_UNPACKED
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        contents = stream.read(max_bytes + 1)
    if len(contents) > max_bytes:
        raise ValueError(f"it unpacks to more than {max_bytes:,} bytes")
    return contents


def require_unpacked_size(archive: NpzFile, names: Iterable[str], max_bytes: int) -> None:
    """Raise ValueError if arrays of an .npz file unpack to more than `max_bytes`, by its list, which zipfile keeps."""
    sizes = {member.filename: member.file_size for member in archive.zip.infolist()} if archive.zip else {}
    size = sum(sizes.get(name, 0) + sizes.get(f"{name}.npy", 0) for name in names)
    if size > max_bytes:
        raise ValueError(f"its arrays have {size:,} bytes, more than {max_bytes:,}")


def unpacked_limit(file: IO[bytes] | Path) -> int:
    """Return the number of bytes that a user's file may unpack to."""
    return max(MAX_UNPACKED, MAX_RATIO * os.stat(file if isinstance(file, Path) else file.fileno()).st_size)


def read_members(archive: Path, names: Collection[str], max_member: int | None = None) -> dict[str, bytes]:
    """Read the files with given paths from a .tar.gz archive, and return their contents by path.

    Members are refused above `max_member` bytes, or `MAX_UNPACKED`.
    """
    contents: dict[str, bytes] = {}
    damage = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError)
    with (
        explained(
            OSError, f"{archive} cannot be read", "a readable .tar.gz archive: check the path and its permissions"
        ),
        explained(damage, f"{archive} cannot be unpacked", "a whole .tar.gz archive: download it again"),
        open(archive, "rb", opener=regular_files.open_given) as file,
        gzip.open(file) as stream,
    ):
        with tarfile.open(fileobj=stream, mode="r|") as members:
            for member in members:
                name = member.name
                if member.size > (max_member or MAX_UNPACKED) or stream.tell() > MAX_FILE:
                    raise ValueError("it unpacks to more than any original archive")
                parts = PurePosixPath(name.replace("\\", "/")).parts
                if name.startswith("/") or PureWindowsPath(name).drive or ".." in parts:
                    raise DatasetError(
                        f"{archive} has a member named {name!r}, which leads out of it; expected the official archive: "
                        "do not use this one."
                    )
                if member.name in names and member.isfile():
                    content = members.extractfile(member)
                    contents[member.name] = content.read() if content else b""
        while stream.read(2**20):  # to the end, which holds the checksum
            if stream.tell() > MAX_FILE:
                raise ValueError("it unpacks to more than any original archive")
    missing = [name for name in names if name not in contents]
    if missing:
        raise DatasetError(
            f"{archive} lacks {', '.join(missing)}; expected the official archive: check which data set it holds."
        )
    return contents


def require_sha256(data: bytes, expected: str, where: str) -> None:
    """Raise DatasetError, which names a file, unless its contents have the expected SHA-256 in hexadecimal digits."""
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise DatasetError(
            f"{where} has the SHA-256 {found}; expected {expected}: it is damaged or another file, get it again."
        )
