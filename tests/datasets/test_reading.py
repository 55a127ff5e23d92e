import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from glojax.datasets import reading
from glojax.datasets.reading import read_members, require_sha256
from glojax.errors import DatasetError

CONTENTS = {"folder/one": b"first" * 1_000, "folder/two": b"second" * 1_000, "other": b""}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_archive(tmp_path / "archive.tar.gz", CONTENTS)


def make_archive(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def assert_rejected(archive: Path, *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_members(archive, ["folder/one", "other"])

    message = str(caught.value)
    assert message.startswith(str(archive))
    assert "expected" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_reads_what_is_asked_for(archive: Path) -> None:
    assert read_members(archive, ["other", "folder/one"]) == {"folder/one": b"first" * 1_000, "other": b""}


def test_names_what_is_missing(tmp_path: Path) -> None:
    assert_rejected(make_archive(tmp_path / "some.tar.gz", {"other": b""}), "lacks folder/one;")


def test_a_link_is_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "linked.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for name, target in (("folder/one", "/etc/passwd"), ("other", "folder/one")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            file.addfile(member)

    assert_rejected(path, "lacks folder/one, other;")


@pytest.mark.parametrize("name", ["../evil", "folder/../../evil", "/etc/evil", "..\\evil", "C:\\evil", ".."])
def test_rejects_an_archive_with_a_path_that_leads_out(tmp_path: Path, name: str) -> None:
    path = make_archive(tmp_path / "evil.tar.gz", CONTENTS | {name: b""})

    assert_rejected(path, f"a member named {name!r}, which leads out of it")


def test_rejects_every_truncation(tmp_path: Path, archive: Path) -> None:
    whole = archive.read_bytes()
    cut = tmp_path / "cut.tar.gz"

    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        assert_rejected(cut)


def test_rejects_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "page.tar.gz"
    path.write_bytes(b"<!DOCTYPE html>")

    assert_rejected(path, "cannot be unpacked")
    assert_rejected(tmp_path / "missing.tar.gz", "cannot be read (No such file or directory)")
    assert_rejected(tmp_path, "cannot be read (Is a directory)")


def test_checksums() -> None:
    digest = hashlib.sha256(b"first").hexdigest()
    require_sha256(b"first", digest, "it")

    with pytest.raises(DatasetError, match=f"it has the SHA-256 {digest}; expected {'0' * 64}: it is damaged"):
        require_sha256(b"first", "0" * 64, "it")


def test_rejects_an_archive_that_unpacks_to_much_more(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_UNPACKED", 4_999)
    assert_rejected(archive, "cannot be unpacked (it unpacks to more than any original archive)")
    monkeypatch.setattr(reading, "MAX_UNPACKED", 5_000)
    monkeypatch.setattr(reading, "MAX_FILE", 100_000)
    with tarfile.open(tmp_path / "many.tar.gz", "w:gz") as file:
        for _ in range(50):
            member = tarfile.TarInfo("other")
            member.size = 5_000
            file.addfile(member, io.BytesIO(bytes(5_000)))
    assert_rejected(tmp_path / "many.tar.gz", "it unpacks to more than any original archive")
    (tmp_path / "tail.tar.gz").write_bytes(archive.read_bytes() + gzip.compress(bytes(10**6)))
    assert_rejected(tmp_path / "tail.tar.gz", "it unpacks to more than any original archive")
