import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from glojax.datasets import load_dataset
from glojax.datasets.cifar10 import CIFAR10
from glojax.datasets.mnist import FASHION_MNIST, MNIST, IdxPublication
from glojax.datasets.prepared import find_prepared, make_builder, prepare, read_prepared
from glojax.datasets.publication import Publication, PublishedImages
from glojax.errors import DatasetError
from tests.datasets.files import files_under


def assert_fails(publication: Publication, root: Path, *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        prepare(publication, root)

    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert find_prepared(root, publication.name) is None


@pytest.mark.usefixtures("mnist_server")
def test_downloads_and_prepares_without_tensorflow(
    tiny_mnist: Publication, tiny_images: PublishedImages, data_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = prepare(tiny_mnist, data_root)

    assert folder == data_root / "mnist" / "3.0.1"
    assert {"dataset_info.json", "features.json"} < set(files_under(folder))
    assert capfd.readouterr() == ("", "")
    found = read_prepared(folder, tiny_mnist, with_test=True)
    assert tiny_images.test is not None
    assert found.test is not None
    np.testing.assert_array_equal(found.train.inputs, tiny_images.train.inputs, strict=True)
    np.testing.assert_array_equal(found.test.inputs, tiny_images.test.inputs, strict=True)
    assert found.test.targets.tolist() == tiny_images.test.targets.tolist()


def test_what_is_prepared_is_prepared_once(
    tiny_mnist: Publication, served_files: Path, mnist_server: str, data_root: Path
) -> None:
    prepare(tiny_mnist, data_root)
    for file in served_files.iterdir():
        file.unlink()

    prepare(tiny_mnist, data_root)

    assert mnist_server.startswith("http://127.0.0.1:")


@pytest.mark.usefixtures("mnist_server")
def test_a_download_with_another_checksum_is_not_used(
    tiny_mnist: Publication, served_files: Path, data_root: Path
) -> None:
    file = served_files / "t10k-labels-idx1-ubyte.gz"
    contents = gzip.decompress(file.read_bytes())
    file.write_bytes(gzip.compress(contents[:-1] + bytes([contents[-1] ^ 1])))

    assert_fails(tiny_mnist, data_root, "127.0.0.1", "wrong checksum", file.name)


@pytest.mark.usefixtures("mnist_server")
def test_a_file_that_the_server_lacks(tiny_mnist: Publication, served_files: Path, data_root: Path) -> None:
    (served_files / "train-labels-idx1-ubyte.gz").unlink()

    assert_fails(tiny_mnist, data_root, "HTTP code: 404", "train-labels-idx1-ubyte.gz")


@pytest.mark.usefixtures("mnist_server")
def test_files_that_do_not_fit_each_other(tiny_images: PublishedImages, data_root: Path) -> None:
    """The files have the expected checksums, but hold 20 images instead of MNIST's 60,000."""
    assert_fails(MNIST, data_root, "array of shape (20,); expected MNIST's labels, uint8 of shape (60000,)")


@pytest.mark.usefixtures("mnist_server")
def test_a_folder_that_cannot_be_written(tiny_mnist: Publication, data_root: Path) -> None:
    data_root.write_bytes(b"")

    with pytest.raises(DatasetError, match=r"127\.0\.0\.1, by tensorflow-datasets: .*root"):
        prepare(tiny_mnist, data_root)


@pytest.mark.parametrize("publication", [MNIST, FASHION_MNIST, CIFAR10])
def test_the_host_is_tried_first(publication: Publication, data_root: Path) -> None:
    """The tests' proxy refuses connections."""
    assert_fails(publication, data_root, "cannot be reached")
    assert not data_root.exists()


@pytest.mark.parametrize(
    ("publication", "num_bytes"), [(MNIST, 11_594_722), (FASHION_MNIST, 30_878_645), (CIFAR10, 170_052_171)]
)
def test_tensorflow_datasets_still_knows_the_files(publication: Publication, num_bytes: int, data_root: Path) -> None:
    infos = make_builder(publication, data_root).url_infos

    assert sum(int(info.size) for info in infos.values()) == num_bytes
    assert all(len(info.checksum) == 64 and info.filename for info in infos.values())


def test_cifar10s_builder_writes_names_and_numbers(blank_cifar10: Path, data_root: Path, tmp_path: Path) -> None:
    """The library's own builder writes them, too, so the folder serves other programs."""
    builder = make_builder(CIFAR10, data_root)
    images = load_dataset("cifar10", blank_cifar10).validation
    builder.info.features["label"].names = CIFAR10.class_names

    (first, example), *_ = builder._generate_examples("train", images)

    assert (first, example["id"], example["label"]) == (0, "train_00000", 6)
    assert example["image"].getpixel((1, 0)) == (4, 5, 6)
    assert builder.info.features["label"].int2str(9) == "truck"


@pytest.mark.slow
def test_the_real_mnist_prepared_offline(mnist_dir: Path, data_root: Path) -> None:
    """tensorflow-datasets takes the four real files from a folder, verifies their registered checksums, and writes."""
    config = tfds.download.DownloadConfig(
        manual_dir=os.fspath(mnist_dir), try_download_gcs=False, max_examples_per_split=1000
    )

    make_builder(MNIST, data_root).download_and_prepare(file_format="array_record", download_config=config)

    first = replace(MNIST, num_images=dict.fromkeys(MNIST.num_images, 1000))
    prepared = read_prepared(data_root / "mnist" / "3.0.1", first, with_test=True)
    original = MNIST.read_originals(mnist_dir, with_test=True)
    assert original is not None
    for ours, theirs in ((prepared.train, original.train), (prepared.test, original.test)):
        assert ours is not None
        assert theirs is not None
        np.testing.assert_array_equal(ours.inputs, theirs.inputs[:1000], strict=True)
        np.testing.assert_array_equal(ours.targets, theirs.targets[:1000], strict=True)


def test_what_another_process_prepared_meanwhile_will_do(
    tiny_mnist: Publication, mnist_server: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process's folder appears while this process reads its downloads, and prevents the final renaming."""
    del mnist_server
    other = prepare(tiny_mnist, tmp_path / "other")
    folder = data_root / "mnist" / "3.0.1"
    read_files = IdxPublication.read_files

    def read_and_be_overtaken(*args: Any, **kwargs: Any) -> PublishedImages:
        shutil.copytree(other, folder)
        return read_files(*args, **kwargs)

    monkeypatch.setattr(IdxPublication, "read_files", read_and_be_overtaken)

    assert prepare(tiny_mnist, data_root) == folder
    assert files_under(folder) == files_under(other)
