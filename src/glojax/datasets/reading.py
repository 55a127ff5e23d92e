"""Reading of files and .tar.gz archives, with messages that help a user, and checksums."""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from glojax.errors import DatasetError


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


def read_file(path: Path, expected: str = "a readable file: check the path and its permissions") -> bytes:
    """Return the contents of a file."""
    with explained(OSError, f"{path} cannot be read", expected):
        return path.read_bytes()


def read_members(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    """Read the files with given paths from a .tar.gz archive, and return their contents by path."""
    contents: dict[str, bytes] = {}
    damage = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)
    with (
        explained(
            OSError, f"{archive} cannot be read", "a readable .tar.gz archive: check the path and its permissions"
        ),
        explained(damage, f"{archive} cannot be unpacked", "a whole .tar.gz archive: download it again"),
        gzip.open(archive) as stream,
    ):
        with tarfile.open(fileobj=stream, mode="r|") as members:
            for member in members:
                name = member.name
                parts = PurePosixPath(name.replace("\\", "/")).parts
                if name.startswith("/") or PureWindowsPath(name).drive or ".." in parts:
                    raise DatasetError(
                        f"{archive} has a member named {name!r}, which leads out of it; expected the official archive: "
                        "do not use this one."
                    )
                if member.name in names and member.isfile():
                    file = members.extractfile(member)
                    contents[member.name] = file.read() if file else b""
        while stream.read(2**20):  # to the end, which holds the checksum
            pass
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
