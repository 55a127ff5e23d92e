"""tensorflow-datasets, without TensorFlow: downloads, and folders that it prepared as array_record.

tensorflow-datasets knows the addresses of the original files and their SHA-256; only its code that reads the files
needs TensorFlow. Prepared files have the format array_record. They are read without tensorflow-datasets' builders,
which import the modules that a folder's `features.json` names: the folder may be a stranger's.
"""

import contextlib
import logging
import os
import re
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from glojax.datasets.publication import Publication, PublishedImages, SplitName
from glojax.datasets.reading import explained
from glojax.datasets.records import Feature, Numbers, Picture, read_records
from glojax.datasets.split import Split
from glojax.errors import DatasetError, in_one_line
from glojax.regular_files import MAX_OBJECT, parse_json, read_file

_LOGGER = logging.getLogger(__name__)

#: Time limit for a host to accept a connection. tensorflow-datasets alone tries for over three minutes.
_PROBE_SECONDS: Final = 1.5

#: Number of characters of an error message to repeat. Some of tensorflow-datasets' messages hold a whole image.
_MAX_CHARACTERS: Final = 600

#: The file that tensorflow-datasets writes last, and its key with the record files' format.
_INFO_FILE, _FORMAT_KEY = "dataset_info.json", "fileFormat"

REPAIR: Final = "delete it, and prepare it again"


def find_prepared(folder: Path, name: str) -> Path | None:
    """Find the newest `ROOT/NAME/VERSION` that tensorflow-datasets prepared; `folder` is it or is above it."""
    if is_prepared(folder):
        return folder
    entries: list[Path] = []
    for parent in (folder, folder / name):
        if os.path.isdir(parent):
            with explained(OSError, f"{parent} cannot be read", "a readable folder: check its permissions"):
                entries += parent.iterdir()
    versions = [entry for entry in entries if re.fullmatch(r"\d+\.\d+\.\d+", entry.name) and is_prepared(entry)]
    return max(versions, key=lambda path: [int(number) for number in path.name.split(".")], default=None)


def read_info(folder: Path) -> dict[str, Any]:
    """Read the description of a prepared folder; raise DatasetError unless its files are of array_record."""
    info = read_description(folder / _INFO_FILE)
    if not re.fullmatch(r"\w+", str(info.get("name"))) or info.get(_FORMAT_KEY) != "array_record":
        raise DatasetError(
            f"{folder} holds data set {info.get('name')!r} as {info.get(_FORMAT_KEY)!r}; expected one as "
            "'array_record': prepare it with download_and_prepare(file_format='array_record'), or name another folder "
            "with --data-dir or TFDS_DATA_DIR."
        )
    return info


def read_description(path: Path) -> dict[str, Any]:
    """Read a JSON file of a prepared folder."""
    expected = "the file that tensorflow-datasets wrote: delete its folder, and prepare it again"
    with explained((OSError, ValueError), f"{path} cannot be read", expected):
        found = parse_json(read_file(path, MAX_OBJECT, is_own=False))
    return found if isinstance(found, dict) else {}


def read_prepared(folder: Path, publication: Publication, with_test: bool) -> PublishedImages:
    """Read a prepared folder, and restore the published order: tensorflow-datasets shuffles by a hash of the index."""
    info = read_info(folder)
    if info["name"] != publication.name:
        raise DatasetError(
            f"{folder} holds data set {info['name']!r}; expected {publication.name!r}: name another folder with "
            "--data-dir or TFDS_DATA_DIR."
        )
    in_order = bool(info.get("disableShuffling"))
    train = _read_split(folder, publication, "train", in_order)
    test = _read_split(folder, publication, "test", in_order) if with_test else None
    return PublishedImages(train, test, origin=f"tensorflow-datasets folder {folder}")


def is_prepared(folder: Path) -> bool:
    """Return whether tensorflow-datasets has prepared a folder."""
    return os.path.isfile(folder / _INFO_FILE)


def _read_split(folder: Path, publication: Publication, name: SplitName, in_order: bool) -> Split:
    shape = (publication.num_images[name], *publication.image_shape)
    features: dict[str, Feature] = {"image": Picture(publication.image_shape), "label": Numbers((), np.dtype(np.int64))}
    # The libraries that read records and pictures raise errors of many types.
    with explained(Exception, f"{folder} cannot be read", f"whole array_record files: {REPAIR}"):
        arrays = read_records(folder, publication.name, name, features, publication.num_images[name])
    images, labels = arrays["image"], arrays["label"].astype(np.int32)
    if images.shape != shape or images.dtype != np.uint8:
        raise DatasetError(
            f"{folder} holds {name} images {images.dtype} {images.shape}; expected uint8 {shape}: {REPAIR}."
        )
    split = Split(images, labels)
    if not in_order:
        # tensorflow-datasets sorts by a hash of the index, salted with the split's name.
        from tensorflow_datasets.core.hashing import Hasher

        split = split.take(np.argsort(sorted(range(len(split)), key=Hasher(name).hash_key)))
    publication.require_first_labels(name, split, str(folder), REPAIR)
    return split


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
        prepared = find_prepared(Path(builder.data_dir), publication.name)
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
