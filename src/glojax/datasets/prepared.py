"""tensorflow-datasets, without TensorFlow: downloads, and folders that it prepared as array_record.

tensorflow-datasets knows the addresses of the original files and their SHA-256; only its code that reads the files
needs TensorFlow. Prepared files have the format array_record. They are read without tensorflow-datasets' builders,
which import the modules that a folder's `features.json` names: the folder may be a stranger's.
"""

import contextlib
import io
import logging
import os
import re
import socket
import threading
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from glojax.datasets.dataset import Split
from glojax.datasets.publication import Publication, PublishedImages, SplitName
from glojax.datasets.reading import explained
from glojax.errors import DatasetError, in_one_line
from glojax.regular_files import MAX_OBJECT, open_given, parse_json, read_file

_LOGGER = logging.getLogger(__name__)

#: Time limit for a host to accept a connection. tensorflow-datasets alone tries for over three minutes.
_PROBE_SECONDS: Final = 1.5

#: Number of characters of an error message to repeat. Some of tensorflow-datasets' messages hold a whole image.
_MAX_CHARACTERS: Final = 600

#: The file that tensorflow-datasets writes last, and its key with the record files' format.
_INFO_FILE, _FORMAT_KEY = "dataset_info.json", "fileFormat"

_RECORDS_PER_READ: Final = 1_000
_REPAIR: Final = "delete it, and prepare it again"


def find_prepared(folder: Path, publication: Publication) -> Path | None:
    """Find the newest `ROOT/NAME/VERSION` that tensorflow-datasets prepared; `folder` is it or is above it."""
    if _is_prepared(folder):
        return folder
    entries: list[Path] = []
    for parent in (folder, folder / publication.name):
        if os.path.isdir(parent):
            with explained(OSError, f"{parent} cannot be read", "a readable folder: check its permissions"):
                entries += parent.iterdir()
    versions = [entry for entry in entries if re.fullmatch(r"\d+\.\d+\.\d+", entry.name) and _is_prepared(entry)]
    return max(versions, key=lambda path: [int(number) for number in path.name.split(".")], default=None)


def read_prepared(folder: Path, publication: Publication, with_test: bool) -> PublishedImages:
    """Read a prepared folder, and restore the published order: tensorflow-datasets shuffles by a hash of the index."""
    path = folder / _INFO_FILE
    expected = "the file that tensorflow-datasets wrote: delete its folder, and prepare it again"
    with explained((OSError, ValueError), f"{path} cannot be read", expected):
        found = parse_json(read_file(path, MAX_OBJECT, is_own=False))
    found = found if isinstance(found, dict) else {}
    if found.get("name") != publication.name or found.get(_FORMAT_KEY) != "array_record":
        raise DatasetError(
            f"{folder} holds data set {found.get('name')!r} as {found.get(_FORMAT_KEY)!r}; expected "
            f"{publication.name!r} as 'array_record': prepare it with download_and_prepare(file_format="
            "'array_record'), or name another folder with --data-dir or TFDS_DATA_DIR."
        )
    in_order = bool(found.get("disableShuffling"))
    train = _read_split(folder, publication, "train", in_order)
    test = _read_split(folder, publication, "test", in_order) if with_test else None
    return PublishedImages(train, test, origin=f"tensorflow-datasets folder {folder}")


def _is_prepared(folder: Path) -> bool:
    return os.path.isfile(folder / _INFO_FILE)


def _read_split(folder: Path, publication: Publication, name: SplitName, in_order: bool) -> Split:
    shape = (publication.num_images[name], *publication.image_shape)
    # The libraries that read records and pictures raise errors of many types.
    with explained(Exception, f"{folder} cannot be read", f"whole array_record files: {_REPAIR}"):
        images, labels = _read_records(folder, publication, name)
    if images.shape != shape or images.dtype != np.uint8:
        raise DatasetError(
            f"{folder} holds {name} images {images.dtype} {images.shape}; expected uint8 {shape}: {_REPAIR}."
        )
    split = Split(images, labels)
    if not in_order:
        # tensorflow-datasets sorts by a hash of the index, salted with the split's name.
        from tensorflow_datasets.core.hashing import Hasher

        split = split.take(np.argsort(sorted(range(len(split)), key=Hasher(name).hash_key)))
    publication.require_first_labels(name, split, str(folder), _REPAIR)
    return split


def _read_records(folder: Path, publication: Publication, name: SplitName) -> tuple[Any, Any]:
    """Read all images and labels of a split in the order of the files."""
    from array_record.python.array_record_module import ArrayRecordReader
    from tensorflow_datasets.proto import tf_example_pb2

    pattern = f"{publication.name}-{name}.array_record-?????-of-?????"
    images: list[NDArray[Any]] = []
    labels: list[int] = []
    for path in sorted(folder.glob(pattern)):
        os.close(open_given(path, os.O_RDONLY))  # a pipe would block the reader
        reader = ArrayRecordReader(os.fspath(path))
        if len(images) + reader.num_records() > publication.num_images[name]:
            raise ValueError(f"more than {publication.num_images[name]:,} records in {pattern}")
        for start in range(0, reader.num_records(), _RECORDS_PER_READ):
            for record in reader.read(start, min(start + _RECORDS_PER_READ, reader.num_records())):
                features = tf_example_pb2.Example.FromString(record).features.feature
                images.append(_decoded(features["image"].bytes_list.value[0], publication.image_shape))
                labels.append(features["label"].int64_list.value[0])
    if not images:
        raise FileNotFoundError(f"no records in {pattern}")
    return np.stack(images), np.array(labels, np.int32)


def _decoded(png: bytes, image_shape: tuple[int, int, int]) -> NDArray[Any]:
    """Decode a PNG file [H, W, channels]; one of another size is not unpacked, as it might fill the memory."""
    from PIL import Image

    with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
        picture = Image.open(io.BytesIO(png), formats=["PNG"])
    if (picture.height, picture.width) != image_shape[:2]:
        raise ValueError(f"a picture of {picture.width} x {picture.height} pixels")
    return np.asarray(picture).reshape(*image_shape[:2], -1)


def prepare(publication: Publication, root: Path) -> Path:
    """Download and verify a publication's original files, prepare them as array_record, and return their folder.

    The folder is `root/NAME/VERSION`. The downloads stay in `root/downloads`.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.utils import tqdm_utils

    builder = make_builder(publication, root)
    url, num_bytes = next(iter(builder.url_infos)), sum(int(info.size) for info in builder.url_infos.values())
    host = urllib.parse.urlsplit(url).hostname
    if not can_connect(url, _PROBE_SECONDS):
        raise DatasetError(f"{host} cannot be reached")
    progress = {"folder": root / "downloads" / publication.name, "num_bytes": num_bytes}
    _LOGGER.info("Downloading %s (%.0f MB) from %s", publication.title, num_bytes / 1e6, host, extra=progress)
    config = tfds.download.DownloadConfig(try_download_gcs=False, force_checksums_validation=True)
    bars_before = tqdm_utils._active
    tfds.disable_progress_bar()
    try:
        builder.download_and_prepare(file_format="array_record", download_config=config)
    except DatasetError:
        raise
    # Downloading, checking and writing raise errors of many types, with messages of many lines.
    except Exception as error:
        prepared = find_prepared(Path(builder.data_dir), publication)
        if prepared is not None:  # another process has prepared it in the meantime
            return prepared
        raise DatasetError(f"{host}, by tensorflow-datasets: {in_one_line(error)[:_MAX_CHARACTERS]}") from error
    finally:
        tfds.display_progress_bar(bars_before)
    return Path(builder.data_dir)


def make_builder(publication: Publication, root: Path) -> Any:
    """Return the `tfds.core.GeneratorBasedBuilder`, whose `url_infos` hold the files' addresses, sizes and SHA-256."""
    import tensorflow_datasets as tfds
    from PIL import Image

    stock: Any = tfds.builder_cls(publication.name)

    class Builder(stock, skip_registration=True):  # type: ignore[call-arg, misc]  # the library has no types
        name = publication.name
        url_infos = stock.url_infos  # the library would look for them in the folder of this file

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
            paths = dl_manager.download({info.filename: url for url, info in self.url_infos.items()})
            paths = {name: Path(path) for name, path in paths.items()}
            _LOGGER.info("Preparing %s as array_record", publication.title)
            images = publication.read_files(paths, with_test=True, origin="original files")
            label = self.info.features["label"]
            if label.names != [*publication.class_names]:  # the stock builder reads CIFAR-10's from the archive
                label.names = publication.class_names
            splits = {"train": images.train, "test": images.test}
            return {name: self._generate_examples(name, split) for name, split in splits.items() if split is not None}

        def _generate_examples(self, split_name: str, split: Split) -> Iterator[tuple[int, dict[str, Any]]]:
            for index, (image, label) in enumerate(zip(split.inputs, split.targets, strict=True)):
                # The library would call TensorFlow to encode an array; a picture it encodes itself.
                example = {"image": Image.fromarray(image.squeeze()), "label": int(label)}
                if "id" in self.info.features:
                    example["id"] = f"{split_name}_{index:05d}"
                yield index, example

        def _log_download_bytes(self) -> None:
            """Print nothing; the stock builder prints the size of the download."""

        _log_download_done = _log_download_bytes

    return Builder(data_dir=os.fspath(root))


def can_connect(url: str, seconds: float) -> bool:
    """Return whether the host of an http or https address, or the proxy for it, accepts a connection.

    The time limit includes the look-up of the name, which the socket's own time limit does not.
    """
    connected = threading.Event()

    def connect() -> None:
        with contextlib.suppress(OSError, ValueError):  # ValueError: the address of the host or proxy is invalid
            address = urllib.parse.urlsplit(url)
            proxy = urllib.request.getproxies().get(address.scheme)
            if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
                address = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
            port = address.port or (443 if address.scheme == "https" else 80)
            socket.create_connection((address.hostname or "", port), timeout=seconds).close()
            connected.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return connected.is_set()
