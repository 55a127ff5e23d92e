import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glojax.datasets.cache import cache_path, data_root, describe_cache, read_cache, write_cache
from glojax.datasets.mnist import FASHION_MNIST
from glojax.datasets.publication import Publication, PublishedImages
from glojax.errors import DatasetError
from tests.datasets.files import files_under

#: Writes 10 MB of images as MNIST's cache, and prints the error.
WRITE = """
import json, sys
import numpy as np
from glojax.datasets.cache import write_cache
from glojax.datasets.split import Split
from glojax.datasets.mnist import MNIST
from glojax.datasets.publication import PublishedImages
from glojax.errors import DatasetError

split = Split(np.zeros((10_000, 28, 28, 1), np.uint8), np.zeros(10_000, np.int32))
try:
    write_cache(MNIST, PublishedImages(split, None, "a test"))
except DatasetError as error:
    print(json.dumps(str(error)))
"""
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"


def assert_equal(found: PublishedImages | None, expected: PublishedImages) -> None:
    assert found is not None
    for name in ("train", "test"):
        split, expected_split = getattr(found, name), getattr(expected, name)
        assert (split is None) == (expected_split is None)
        if split is not None:
            np.testing.assert_array_equal(split.inputs, expected_split.inputs, strict=True)
            np.testing.assert_array_equal(split.targets, expected_split.targets, strict=True)


def assert_rejected(publication: Publication, *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_cache(publication)

    message = str(caught.value)
    assert message.startswith(f"The cache {cache_path(publication)}")
    assert "expected" in message
    assert message.endswith("delete it, and `python -m glojax.datasets fetch mnist` makes it again.")
    for part in parts:
        assert part in message


def test_round_trip(tiny_mnist: Publication, tiny_images: PublishedImages, data_root: Path) -> None:
    assert read_cache(tiny_mnist) is None

    path = write_cache(tiny_mnist, tiny_images)

    assert path == cache_path(tiny_mnist) == data_root / "mnist" / "glojax.npz"
    assert_equal(found := read_cache(tiny_mnist), tiny_images)
    assert found is not None
    assert found.origin == f"cache {path}, from a generator"
    assert files_under(data_root) == ["mnist/glojax.npz"]


def test_others_may_read_it(tiny_mnist: Publication, tiny_images: PublishedImages, tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()

    assert write_cache(tiny_mnist, tiny_images).stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_test_images_may_be_missing(tiny_mnist: Publication, tiny_images: PublishedImages) -> None:
    without = PublishedImages(tiny_images.train, None, "a generator")
    write_cache(tiny_mnist, without)
    assert_equal(read_cache(tiny_mnist), without)

    write_cache(tiny_mnist, tiny_images)
    assert_equal(read_cache(tiny_mnist), tiny_images)


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    for value in ("", "~/tensorflow_datasets"):
        monkeypatch.setenv("TFDS_DATA_DIR", value)
        assert data_root() == tmp_path / "tensorflow_datasets"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert data_root() == tmp_path / "tensorflow_datasets"


def test_no_truncated_file_is_read(tiny_mnist: Publication, tiny_images: PublishedImages) -> None:
    path = write_cache(tiny_mnist, tiny_images)
    whole = path.read_bytes()

    for length in range(0, len(whole), 501):
        path.write_bytes(whole[:length])
        assert_rejected(tiny_mnist)


def test_no_file_with_a_flipped_byte_is_taken_for_whole(tiny_mnist: Publication, tiny_images: PublishedImages) -> None:
    """Bytes of the archive's metadata, such as times, may change; then the arrays are still the same."""
    path = write_cache(tiny_mnist, tiny_images)
    whole = path.read_bytes()
    rejected = 0

    for index in range(0, len(whole), 97):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 0xFF]) + whole[index + 1 :])
        try:
            found = read_cache(tiny_mnist)
        except DatasetError:
            rejected += 1
        else:
            assert_equal(found, tiny_images)
    assert rejected > 0.9 * len(whole) / 97


@pytest.mark.parametrize(
    ("mark", "offset", "flipped", "part"),
    [
        (b"PK\x01\x02", 8, 1, "is encrypted"),
        (b"PK\x01\x02", 10, 64, "compression method is not supported"),
        (b", }", 2, 1, "is damaged ("),
    ],
)
def test_damaged_metadata_of_the_archive(
    tiny_mnist: Publication, tiny_images: PublishedImages, mark: bytes, offset: int, flipped: int, part: str
) -> None:
    path = write_cache(tiny_mnist, tiny_images)
    contents = bytearray(path.read_bytes())
    contents[contents.index(mark) + offset] ^= flipped
    path.write_bytes(contents)

    assert_rejected(tiny_mnist, part)


def test_other_contents_do_not_have_the_checksum(tiny_mnist: Publication, tiny_images: PublishedImages) -> None:
    """The archive itself is whole here; only the SHA-256 tells."""
    path = write_cache(tiny_mnist, tiny_images)
    with np.load(path) as archive:
        arrays: dict[str, Any] = dict(archive)
    np.savez(path, **(arrays | {"train_labels": arrays["train_labels"][::-1]}))

    assert_rejected(tiny_mnist, "has the SHA-256")


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({}, "is damaged ("),
        ({"sha256": np.array("0" * 64)}, "has the SHA-256"),
        ({"train_images": np.array([None]), "sha256": np.array("")}, "Object arrays cannot be loaded"),
    ],
)
def test_rejects_another_npz_file(tiny_mnist: Publication, arrays: dict[str, Any], part: str) -> None:
    cache_path(tiny_mnist).parent.mkdir(parents=True)
    np.savez(cache_path(tiny_mnist), **arrays)

    assert_rejected(tiny_mnist, part)


def test_rejects_another_data_sets_cache(tiny_mnist: Publication, tiny_images: PublishedImages) -> None:
    assert tiny_images.test is not None
    write_cache(tiny_mnist, PublishedImages(tiny_images.test, None, "a test"))

    assert_rejected(tiny_mnist, "does not hold MNIST")


def test_rejects_the_cache_of_another_data_set_of_the_same_shape(
    tiny_mnist: Publication, tiny_images: PublishedImages
) -> None:
    """All caches have the same name, and people copy them from machine to machine."""
    write_cache(tiny_mnist, tiny_images)

    with pytest.raises(DatasetError, match=r"holds train images with the labels .* first; expected \[9, 0, 0, "):
        read_cache(replace(tiny_mnist, first_labels=FASHION_MNIST.first_labels))


def test_a_folder_at_the_path_of_the_cache(tiny_mnist: Publication, tiny_images: PublishedImages) -> None:
    cache_path(tiny_mnist).mkdir(parents=True)

    assert_rejected(tiny_mnist, "cannot be read (Is a directory)")
    with pytest.raises(DatasetError, match=r"Cannot write the cache .* \(Is a directory\); expected .* TFDS_DATA_DIR"):
        write_cache(tiny_mnist, tiny_images)
    assert files_under(data_root()) == []


def test_a_root_that_is_no_folder(tiny_mnist: Publication, tiny_images: PublishedImages, data_root: Path) -> None:
    data_root.write_bytes(b"")

    with pytest.raises(DatasetError, match=r"Cannot write the cache .* \(Not a directory\)"):
        write_cache(tiny_mnist, tiny_images)


def test_a_file_that_may_not_grow_leaves_what_was_there(
    tiny_mnist: Publication, tiny_images: PublishedImages, data_root: Path
) -> None:
    """The operating system refuses to write more than 1 MB to a file, as a full disk does."""
    path = write_cache(tiny_mnist, tiny_images)
    before = path.read_bytes()

    done = subprocess.run([sys.executable, "-c", SMALL_FILES + WRITE], capture_output=True, text=True, check=True)

    message = json.loads(done.stdout)
    assert message.startswith(f"Cannot write the cache {path} (File too large); expected a folder with 8 MB to spare")
    assert message.endswith("What was there is unchanged.")
    assert files_under(data_root) == ["mnist/glojax.npz"]
    assert path.read_bytes() == before


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A disk of 1 MB that only this test's process sees."""
    unshare, mount = (shutil.which(name, path=os.defpath + ":/usr/sbin:/sbin") for name in ("unshare", "mount"))
    disk = tmp_path / "disk"
    disk.mkdir()
    prepare = f"{mount} -t tmpfs -o size=1m none {disk}"
    if (
        not (unshare and mount)
        or subprocess.run([unshare, "-m", "/bin/sh", "-c", prepare], check=False, capture_output=True).returncode
    ):
        pytest.skip("making a disk takes an administrator and Linux")

    script = f'{prepare} && "$0" -c "$1" && cd {disk} && for file in * .[!.]* */* */.[!.]*; do echo "$file"; done'
    environment = os.environ | {"TFDS_DATA_DIR": str(disk)}
    done = subprocess.run(
        [unshare, "-m", "/bin/sh", "-c", script, sys.executable, WRITE],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )

    message, *files = done.stdout.splitlines()
    assert f"{disk}/mnist/glojax.npz (No space left on device)" in json.loads(message)
    assert [file for file in files if "*" not in file] == ["mnist"]


def test_a_cache_that_unpacks_to_more_than_the_data_set_is_rejected(
    tiny_mnist: Publication, tiny_images: PublishedImages, data_root: Path
) -> None:
    path = write_cache(tiny_mnist, tiny_images)
    np.savez_compressed(path, origin=np.zeros(10**8, np.uint8))
    assert_rejected(tiny_mnist, "is damaged (its arrays have 100,000,", "more than ")


def test_a_pipe_is_no_cache(tiny_mnist: Publication, data_root: Path) -> None:
    cache_path(tiny_mnist).parent.mkdir(parents=True)
    os.mkfifo(cache_path(tiny_mnist))
    assert_rejected(tiny_mnist, "is a pipe or a device")
    assert describe_cache(tiny_mnist) == "damaged cache"
