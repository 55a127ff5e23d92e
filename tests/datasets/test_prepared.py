import json
import shutil
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.proto import tf_example_pb2

from glojax.datasets import load_dataset
from glojax.datasets.prepared import find_prepared, prepare, read_prepared
from glojax.datasets.publication import Publication, PublishedImages
from glojax.datasets.split import Split
from glojax.errors import DatasetError


@pytest.fixture
def prepared(tiny_mnist: Publication, mnist_server: str, data_root: Path) -> Path:
    """Tiny images, as tensorflow-datasets prepared them."""
    del mnist_server
    return prepare(tiny_mnist, data_root)


def assert_rejected(folder: Path, publication: Publication, *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read_prepared(folder, publication, with_test=True)

    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "expected" in message
    assert "\n" not in message
    for part in parts:
        assert part in message


def edit_info(folder: Path, **fields: Any) -> None:
    path = folder / "dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_found_from_the_folders_above(prepared: Path, data_root: Path) -> None:
    for folder in (prepared, data_root / "mnist", data_root):
        assert find_prepared(folder, "mnist") == prepared
    assert find_prepared(data_root, "fashion_mnist") is None
    assert find_prepared(data_root / "nowhere", "mnist") is None


def test_the_newest_version_is_found(prepared: Path, data_root: Path) -> None:
    for version in ("3.0.9", "3.0.10", "incomplete.XYZ_4.0.0", "4.0.0"):
        (data_root / "mnist" / version).mkdir()
    for version in ("3.0.9", "3.0.10", "incomplete.XYZ_4.0.0"):
        shutil.copy(prepared / "dataset_info.json", data_root / "mnist" / version)

    assert find_prepared(data_root, "mnist") == data_root / "mnist" / "3.0.10"


def test_without_test_images(prepared: Path, tiny_mnist: Publication) -> None:
    assert read_prepared(prepared, tiny_mnist, with_test=False).test is None


def test_any_name_is_read_as_tensorflow_datasets_wrote_it(prepared: Path, tiny_images: PublishedImages) -> None:
    dataset = load_dataset("tfds:mnist", validation_fraction=0.5)

    def examples(*splits: Split | None) -> list[tuple[bytes, int]]:
        pairs = [pair for split in splits if split for pair in zip(split.inputs, split.targets, strict=True)]
        return sorted((image.tobytes(), int(label)) for image, label in pairs)

    assert examples(dataset.train, dataset.validation) == examples(tiny_images.train)
    assert examples(dataset.test) == examples(tiny_images.test)
    assert dataset.origin == f"tensorflow-datasets folder {prepared}: label from image"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"name": "kmnist"}, "holds data set 'kmnist'; expected 'mnist': name another folder with --data-dir"),
        ({"fileFormat": "tfrecord"}, "holds data set 'mnist' as 'tfrecord'; expected one as 'array_record'"),
        ({"fileFormat": None}, "holds data set 'mnist' as None"),
    ],
)
def test_rejects_another_data_set_and_another_format(
    prepared: Path, tiny_mnist: Publication, fields: dict[str, Any], found: str
) -> None:
    edit_info(prepared, **fields)

    advice = ["download_and_prepare(file_format='array_record')"] if "fileFormat" in fields else []
    assert_rejected(prepared, tiny_mnist, found, *advice)


def test_rejects_images_in_an_unknown_order(prepared: Path, tiny_mnist: Publication) -> None:
    """The file says that the images were not shuffled, which they were."""
    edit_info(prepared, disableShuffling=True)

    assert_rejected(prepared, tiny_mnist, "holds train images with the labels [")


def test_rejects_other_counts(prepared: Path, tiny_mnist: Publication) -> None:
    assert_rejected(
        prepared,
        replace(tiny_mnist, num_images={"train": 20, "test": 13}),
        "holds test images uint8 (12, 28, 28, 1); expected",
    )


def _cut(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.truncate(file.stat().st_size // 2)


def _flip(file: Path) -> None:
    contents = bytearray(file.read_bytes())
    contents[100:200] = bytes(byte ^ 0xFF for byte in contents[100:200])
    file.write_bytes(contents)


@pytest.mark.parametrize("damage", [Path.unlink, _cut, _flip, lambda file: file.write_bytes(b"")])
def test_rejects_damaged_records(prepared: Path, tiny_mnist: Publication, damage: Callable[[Path], object]) -> None:
    damage(prepared / "mnist-test.array_record-00000-of-00001")

    assert_rejected(prepared, tiny_mnist, "cannot be read (", "whole array_record files: delete it")


@pytest.mark.parametrize("contents", [b"", b"{", b"\xff", b"[]", b"[" * 100_000])
def test_rejects_a_damaged_description(prepared: Path, tiny_mnist: Publication, contents: bytes) -> None:
    (prepared / "dataset_info.json").write_bytes(contents)

    assert_rejected(prepared, tiny_mnist)


def test_a_module_that_the_folder_names_is_not_imported(
    prepared: Path, tiny_mnist: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'harm')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, key in (("features.json", "pythonClassName"), ("dataset_info.json", "moduleName")):
        described = json.loads((prepared / name).read_text())
        (prepared / name).write_text(json.dumps(described | {key: "planted.Feature"}))

    found = read_prepared(prepared, tiny_mnist, with_test=True)

    assert len(found.train) == 20
    assert not (tmp_path / "harm").exists()


def with_picture(folder: Path, picture: bytes) -> None:
    """Put a picture in the place of each test picture."""
    record = tf_example_pb2.Example()
    record.features.feature["image"].bytes_list.value.append(picture)
    record.features.feature["label"].int64_list.value.append(0)
    writer = ArrayRecordWriter(str(folder / "mnist-test.array_record-00000-of-00001"), "group_size:1")
    for _ in range(12):
        writer.write(record.SerializeToString())
    writer.close()


def test_postscript_is_not_given_to_another_program(
    prepared: Path, tiny_mnist: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow would start Ghostscript."""
    (tmp_path / "bin").mkdir()
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.write_text(f"#!/bin/sh\n: > {tmp_path}/harm\n")
    ghostscript.chmod(0o755)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # where Pillow remembers that there is none
    with_picture(prepared, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n")

    assert_rejected(prepared, tiny_mnist, "cannot be read (cannot identify image file")
    assert not (tmp_path / "harm").exists()


def png(*sizes: tuple[int, int]) -> bytes:
    """A PNG file with a header for each size, and no pixels."""
    parts = [b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0) for size in sizes]
    parts += [b"IDAT" + zlib.compress(b""), b"IEND"]
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(8_000, 8_000)], "cannot be read (a picture of 8000 x 8000 pixels)"),
        ([(10_000, 10_000)], "cannot be read (Image size (100000000 pixels) exceeds limit"),
        ([(60_000, 60_000)], "cannot be read (Image size (3600000000 pixels) exceeds limit"),
        ([(28, 28), (8_000, 8_000)], "cannot be read (a picture of 8000 x 8000 pixels)"),
    ],
)
def test_a_picture_of_another_size_is_not_unpacked(
    prepared: Path, tiny_mnist: Publication, sizes: list[tuple[int, int]], expected: str
) -> None:
    with_picture(prepared, png(*sizes))
    tracemalloc.start()
    assert_rejected(prepared, tiny_mnist, expected)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6
