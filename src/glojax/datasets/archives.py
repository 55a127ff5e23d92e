"""Safe reading of .tar.gz archives, in memory, and checksums."""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath, PureWindowsPath

from glojax.errors import DatasetError

_CHUNK_BYTES = 2**20


def read_members(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    """Read the files with given paths from a .tar.gz archive, and return their contents by path.

    Raises:
        DatasetError: The archive cannot be read, is damaged, lacks one of the files, or has a path that leads out of
            it.
    """
    contents: dict[str, bytes] = {}
    try:
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as members:
                for member in members:
                    _require_safe_path(archive, member.name)
                    if member.name in names and member.isfile():
                        file = members.extractfile(member)
                        contents[member.name] = file.read() if file else b""
            while stream.read(_CHUNK_BYTES):  # to the end, which holds the checksum
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(
            f"{archive} cannot be unpacked ({error}); expected a whole .tar.gz archive: download it again."
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{archive} cannot be read ({error.strerror or error}); expected a readable .tar.gz archive: check the "
            "path and its permissions."
        ) from error
    missing = [name for name in names if name not in contents]
    if missing:
        raise DatasetError(
            f"{archive} lacks {', '.join(missing)}; expected the official archive: check which data set and which "
            "format it holds."
        )
    return contents


def require_sha256(found: str, expected: str, where: str) -> None:
    """Raise DatasetError, which names a file, unless its SHA-256 in hexadecimal digits is the expected one."""
    if found != expected:
        raise DatasetError(
            f"{where} has the SHA-256 {found}; expected {expected}: it is damaged or another file, get it again."
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits.

    Raises:
        DatasetError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}); expected a readable file: check the path and its permissions."
        ) from error


def _require_safe_path(archive: Path, name: str) -> None:
    if name.startswith("/") or PureWindowsPath(name).drive or ".." in PurePosixPath(name.replace("\\", "/")).parts:
        raise DatasetError(
            f"{archive} has a member named {name!r}, which leads out of it; expected the official archive: do not use "
            "this one."
        )
